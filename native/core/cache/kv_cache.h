// The KV cache as the engine sees it: assigns sequences of the backend to requests with as much of
// their tokens as is computed already, and keeps the state of ended requests until the sequence
// is needed. Ledger knows which request holds which sequence, KvStore the cells, HostTier the
// states in host memory, PrefixReuse what can be reused, Checkpoints what is saved of states that
// cannot be truncated; this class decides what happens to a request. Engine thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "checkpoints.h"
#include "core/backend.h"
#include "core/scheduling/request.h"
#include "core/types.h"
#include "host_tier.h"
#include "kv_store.h"
#include "ledger.h"
#include "prefix_reuse.h"
#include "sequence_table.h"

namespace infernode {

enum class [[nodiscard]] StateImport{
    kKept,
    kNoRoom,     // in host memory
    kMalformed,  // it cannot be a state of its tokens
};

struct CacheStats {
  std::int64_t cells_used = 0;    // of running requests
  std::int64_t cells_cached = 0;  // of ended ones, free for any request that needs them
  std::int64_t prompt_tokens_cached = 0;
  std::int64_t copies = 0;         // of prefixes, between sequences
  std::int64_t evictions = 0;      // prefixes that lost their sequence
  std::int64_t host_restores = 0;  // prefixes restored from host memory
  std::int64_t host_bytes = 0;
};

class KvCache {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // The backend outlives the cache.
  KvCache(Backend& backend, CacheConfig config, Clock clock);
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  std::int32_t size() const { return sequences().size(); }
  std::int64_t capacity() const { return store_->capacity(); }  // cells
  std::int32_t running() const { return sequences().held(); }
  std::int32_t free_slots() const { return limits_.slots - running(); }
  // nullptr: no request holds the sequence.
  Request* holder(SequenceId sequence) const { return sequences().holder(sequence); }
  // Positions in a sequence, held or idle.
  Position length(SequenceId sequence) const { return sequences().length(sequence); }

  // Begins a step: states read in an earlier one are stale.
  void begin_step() { store_->begin_step(); }
  // Evicts idle prefixes, the least recently used first, until `wanted` cells are free. Returns how
  // many are, at most `wanted`.
  std::int32_t make_room(std::int32_t wanted) { return ledger_.make_room(wanted); }
  // Whether a waiting request can compute all its known tokens without cells of running requests.
  // Only called while a request runs.
  [[nodiscard]] bool fits(const Request& request) const;
  // Assigns a sequence to a request, with as much of its tokens as is computed somewhere. There
  // must be a free sequence.
  void seat(Request& request);
  // More of a request's prompt is computed: saves its state if it stands at a checkpoint.
  void prefilled(Request& request) { checkpoints_.reached(request); }
  // Requests that await an older one's prefix get as much as is computed, if no more will come.
  void resume_awaiting();
  // Copies its source's state to a fork where that is not possible later.
  void copy_to_fork(const Request& source, Request& fork);
  // The request ends. `keep`: its computed tokens may serve other requests.
  void release(Request& request, bool keep);
  // A running request loses its sequence; its state waits in host memory if there is room.
  void preempt(Request& request);
  // A failed pass left unknown state in the request's sequence: its tokens are computed again.
  void clear(Request& request) { ledger_.clear(request); }
  // The same of a sequence that a failed pass only padded.
  void clear_padded(SequenceId sequence) { ledger_.clear(sequence); }
  // Truncates padding or rejected draft tokens; clears the sequence where the backend cannot
  // truncate there.
  void roll_back(SequenceId sequence, Position from) { ledger_.roll_back(sequence, from); }
  // Drops the saved state of a preempted request.
  void drop_saved(Request& request);
  // Moves a request to a free sequence, through host memory. False: it is where it was.
  [[nodiscard]] bool move(SlotMove move) { return ledger_.move(move); }
  // Unassigns all sequences in the bookkeeping only; the backend is not called. Throws nothing.
  void abandon() noexcept { ledger_.abandon(); }

  // The state of the computed prompt of a request that has a sequence: that of an idle sequence
  // with the prompt as a prefix, else the request's own. Where states cannot be truncated, a saved
  // checkpoint of the prompt, if there is one. Without bytes where the backend cannot read it.
  CachedState export_state(Request& request);
  // Keeps a saved state for requests that begin with its tokens.
  StateImport import_state(CachedState state, const std::string& salt);

  // Milliseconds to compute one prompt row, as measured.
  void row_cost(double milliseconds) { reuse_.row_cost(milliseconds); }

  CacheStats stats() const;
  // Proves that the table of sequences and its index agree with the requests, that the backend
  // holds as many positions of each sequence as the books say, that each cell of a pool is free,
  // busy or idle, and that host memory counts the bytes it keeps and `saved`, the bytes of states
  // that living requests own. Throws BrokenInvariant.
  void check(std::size_t saved) const { ledger_.check(saved); }

 private:
  const SequenceTable& sequences() const { return ledger_.sequences(); }
  void hold(Request& request, SequenceId sequence);
  void swap_in(Request& request);
  [[nodiscard]] bool worth_taking_over(const PrefixReuse::Prefix& prefix) const;
  void take_over(Request& request, const PrefixReuse::Prefix& prefix);
  void fill(Request& request);
  PrefixTree::Match restorable(const Request& request);
  [[nodiscard]] bool restore(Request& request, PrefixTree::Match saved);
  void reuse(Request& request, Position length);

  const BackendLimits limits_;
  const std::unique_ptr<KvStore> store_;
  HostTier host_;
  Ledger ledger_;
  PrefixReuse reuse_;
  const Checkpoints checkpoints_;
  CacheStats totals_;
};

}  // namespace infernode
