// The ledger's part that must hold whatever happens: positions that are given up, states
// that cannot be read, what is owed and what is there, and the end of it all.
#include <utility>

#include "kv_cache.h"

namespace infernode {

// Forgets a sequence's positions from `from` on, in the backend and in the books.
bool KvCache::cut(SequenceId sequence, Position from) {
  const bool done = backend_.truncate(sequence, from);
  if (done) count_cells(sequence);
  return done;
}

void KvCache::wipe(SequenceId sequence) {
  INFERNODE_CHECK(cut(sequence, 0), "sequence " + std::to_string(sequence) + " cannot be emptied");
}

void KvCache::spoilt(SequenceId sequence) {
  if (Request* request = holder(sequence)) return clear(*request);
  empty(sequence);
}

void KvCache::take_back(SequenceId sequence, Position from) {
  if (!cut(sequence, from)) spoilt(sequence);
}

// A state that cannot be read, for want of memory or whatever else, is computed anew
// where it is wanted.
StateBytes KvCache::read_state(SequenceId sequence, std::size_t at_most) const {
  try {
    return backend_.save(sequence, at_most);
  } catch (const BrokenInvariant&) {
    throw;
  } catch (...) {
    return {};
  }
}

// Checks nothing: the books may be what broke.
void KvCache::abandon() noexcept {
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    Request* request = std::exchange(at(sequence).holder, nullptr);
    if (request != nullptr) request->progress.forget_place();
    if (pool_) pool_->set_busy(sequence, false);
  }
  running_ = 0;
}

CacheStats KvCache::stats() const {
  CacheStats stats = totals_;
  stats.host_bytes = static_cast<std::int64_t>(host_.bytes());
  if (pool_) {
    stats.cells_used = pool_->busy();
    stats.cells_cached = pool_->size() - pool_->free() - pool_->busy();
    return stats;
  }
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    (holder(sequence) != nullptr ? stats.cells_used : stats.cells_cached) += length(sequence);
  }
  return stats;
}

void KvCache::check() const {
  for (SequenceId sequence = 0; sequence < size(); ++sequence) {
    const Position owed = length(sequence);
    const Position held = backend_.resident(sequence);
    INFERNODE_CHECK(owed == held, "sequence " + std::to_string(sequence) + " holds " +
                                      std::to_string(held) + " cells, its ledger says " +
                                      std::to_string(owed));
  }
}

}  // namespace infernode
