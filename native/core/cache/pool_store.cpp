#include "pool_store.h"

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

bool PoolStore::copy(SequenceId from, SequenceId to, Position length) {
  changed(from);
  backend_.share(from, to, length);
  cells_.share(from, to, length);
  return true;
}

void PoolStore::changed(SequenceId sequence) { cells_.resize(sequence, resident(sequence)); }

}  // namespace infernode
