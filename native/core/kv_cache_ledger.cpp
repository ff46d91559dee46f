// The ledger's part that must hold whatever happens: positions that are given up, what
// is owed and what is there, and the end of it all.
#include <utility>

#include "kv_cache.h"

namespace infernode {

void KvCache::spoilt(SequenceId sequence) {
  if (Request* request = holder(sequence)) return clear(*request);
  empty(sequence);
}

void KvCache::take_back(SequenceId sequence, Position from) {
  if (!store_->truncate(sequence, from)) spoilt(sequence);
}

// Checks nothing: the books may be what broke.
void KvCache::abandon() noexcept {
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    Request* request = std::exchange(at(sequence).holder, nullptr);
    if (request != nullptr) request->progress.forget_place();
    store_->set_busy(sequence, false);
  }
  running_ = 0;
}

CacheStats KvCache::stats() const {
  CellCounts positions;
  for (SequenceId sequence = 0; sequence < size(); ++sequence)
    (holder(sequence) != nullptr ? positions.busy : positions.idle) += length(sequence);
  const CellCounts cells = store_->cells(positions);
  CacheStats stats = totals_;
  stats.cells_used = cells.busy;
  stats.cells_cached = cells.idle;
  stats.host_bytes = static_cast<std::int64_t>(host_.bytes());
  return stats;
}

void KvCache::check() const {
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    const Position owed = length(sequence);
    const Position held = store_->resident(sequence);
    INFERNODE_CHECK(owed == held, "sequence " + std::to_string(sequence) + " holds " +
                                      std::to_string(held) + " cells, its ledger says " +
                                      std::to_string(owed));
  }
}

}  // namespace infernode
