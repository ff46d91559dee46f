#include "pool_store.h"

#include <string>
#include <utility>

namespace infernode {

PoolStore::PoolStore(Backend& backend, Clock clock)
    : KvStore(backend, std::move(clock)),
      sequences_(backend.limits().slots + backend.limits().idle_sequences),
      cells_(sequences_, backend.limits().cells) {}

void PoolStore::begin_step() {
  for (SequenceId sequence = 0; sequence < sequences_; ++sequence) changed(sequence);
}

// Passes of this step have taken cells that are not counted in the pool yet.
std::int32_t PoolStore::free_cells() const {
  std::int32_t free = cells_.free();
  for (SequenceId sequence = 0; sequence < sequences_; ++sequence)
    free -= resident(sequence) - cells_.length(sequence);
  return free;
}

CellCounts PoolStore::cells(CellCounts) const {
  return {cells_.busy(), cells_.size() - cells_.free() - cells_.busy()};
}

void PoolStore::check(SequenceId sequence, bool busy) const {
  INFERNODE_CHECK(cells_.busy(sequence) == busy, "sequence " + std::to_string(sequence) +
                                                     (busy ? " has a request and counts as idle"
                                                           : " has no request and counts as busy"));
  const Position counted = cells_.length(sequence);
  INFERNODE_CHECK(counted <= resident(sequence),
                  "sequence " + std::to_string(sequence) + " holds " +
                      std::to_string(resident(sequence)) + " cells, its pool counts " +
                      std::to_string(counted));
}

void PoolStore::check_cells() const {
  cells_.check();
  INFERNODE_CHECK(free_cells() >= 0, "sequences hold " + std::to_string(-free_cells()) +
                                         " cells more than the pool has");
}

bool PoolStore::copy(SequenceId from, SequenceId to, Position length) {
  changed(from);
  backend_.share(from, to, length);
  cells_.share(from, to, length);
  return true;
}

void PoolStore::changed(SequenceId sequence) { cells_.resize(sequence, resident(sequence)); }

}  // namespace infernode
