#include "kv_store.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/running_mean.h"

namespace infernode {

KvStore::KvStore(Backend& backend, Clock clock) : backend_(backend), clock_(std::move(clock)) {}

bool KvStore::truncate(SequenceId sequence, Position from) {
  if (!backend_.truncate(sequence, from)) return false;
  changed(sequence);
  return true;
}

void KvStore::clear(SequenceId sequence) {
  INFERNODE_CHECK(truncate(sequence, 0),
                  "sequence " + std::to_string(sequence) + " cannot be emptied");
}

StateBytes KvStore::save(SequenceId sequence, std::size_t at_most) const {
  try {
    return backend_.save(sequence, at_most);
  } catch (const BrokenInvariant&) {
    throw;
  } catch (...) {
    return {};
  }
}

// A state of other positions than it was said to be is not entered into the books.
bool KvStore::restore(SequenceId sequence, std::span<const std::uint8_t> state, Position length) {
  INFERNODE_CHECK(backend_.resident(sequence) == 0, "a state is restored over another");
  if (backend_.restore(sequence, state) && backend_.resident(sequence) == length) {
    changed(sequence);
    return true;
  }
  clear(sequence);
  return false;
}

void KvStore::transferred(Position length, double started) {
  blend(position_ms_, (clock_() - started) / std::max<Position>(length, 1));
}

}  // namespace infernode
