// Who holds which sequence of the backend and what lies in it: the ledger.
// A sequence is held by a running request, or keeps what an ended one left
// behind until somebody needs the place, or is empty. Requests that begin
// alike share what is computed: taken over in place, copied from a sequence or
// from host memory, or awaited while another request computes it.
// What the backend does with sequences is behind a KvStore, which knows their layout.
// Engine thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend.h"
#include "host_tier.h"
#include "kv_store.h"
#include "prefix_forest.h"
#include "request.h"
#include "types.h"

namespace infernode {

constexpr Position kLeastGain = 16;  // tokens worth waiting or asking host memory for
constexpr Position kLeastTail = 32;  // tokens worth a sequence or a state of their own

struct SlotMove {
  SequenceId from;
  SequenceId to;
};

struct CacheConfig {
  bool keeps_prefixes = true;  // false: every prompt is computed whole
  std::size_t host_limit = 0;  // bytes of states in host memory
  // Reuse changes no bit of the logits: only prompt rows are reused, since a decode row rounds
  // differently, and as many rows of a prompt remain to be computed as round alike.
  bool deterministic = false;
};

enum class [[nodiscard]] StateImport{
    kKept,
    kNoRoom,     // in host memory
    kMalformed,  // it cannot be a state of its tokens
};

struct CacheStats {
  std::int64_t cells_used = 0;    // of running requests
  std::int64_t cells_cached = 0;  // of ended ones, free for whoever needs them
  std::int64_t prompt_tokens_cached = 0;
  std::int64_t copies = 0;         // of prefixes, between sequences
  std::int64_t evictions = 0;      // prefixes that lost their sequence
  std::int64_t host_restores = 0;  // prefixes that came back
  std::int64_t host_bytes = 0;
};

class KvCache {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // The backend outlives the cache.
  KvCache(Backend& backend, CacheConfig config, Clock clock);

  // Cells of all sequences.
  std::int64_t capacity() const { return store_->capacity(); }
  std::int32_t size() const { return static_cast<std::int32_t>(sequences_.size()); }
  std::int32_t running() const { return running_; }
  std::int32_t free_places() const { return limits_.slots - running_; }
  // nullptr: nobody's.
  Request* holder(SequenceId sequence) const { return at(sequence).holder; }
  // Cells in a sequence, whoever's.
  Position length(SequenceId sequence) const;

  // Begins a step: states read in an earlier one are stale.
  void begin_step() { store_->begin_step(); }
  // Cells a pass may take, at most `wanted`: evicts idle prefixes, the longest unused first,
  // until there are so many.
  std::int32_t room(std::int32_t wanted);
  // Whether a waiting request can compute what it knows without taking cells from
  // those that run. Not asked when nobody runs.
  [[nodiscard]] bool fits(const Request& request) const;
  // Gives the request a sequence and as much of its tokens as is computed
  // somewhere. There must be a free place.
  void seat(Request& request);
  // More of a request's prompt is computed: keeps its state at a checkpoint.
  void reached(Request& request);
  // Gives those who await another's prefix what is there by now.
  void settle_awaiting();
  // A fork gets its source's state where it could not be had later.
  void hand_over(const Request& source, Request& fork);
  // The request ends; `keep`: what it computed may serve others.
  void leave(Request& request, bool keep);
  // Takes the place of a running request; its state waits in host memory if
  // there is room.
  void set_aside(Request& request);
  // What a failed pass left in its sequence is unknown: it starts anew.
  void clear(Request& request);
  // The same of a sequence that a failed pass only padded.
  void spoilt(SequenceId sequence);
  // Takes back the rows from `from` on, which were padding or wrong guesses; where the
  // backend cannot, all of the sequence is given up.
  void take_back(SequenceId sequence, Position from);
  // Drops the state kept for a preempted request.
  void forget(Request& request);
  // Through host memory.
  [[nodiscard]] bool move(SlotMove move);
  // Takes all sequences from their holders, leaving the backend alone. Throws nothing.
  void abandon() noexcept;

  // The state of a seated request's prompt, which is computed: of what an ended
  // request left that goes on beyond it, else the request's own. Where states cannot
  // be cut, the one from which the same prompt can go on, if it is kept. Without
  // bytes where the backend cannot read it.
  CachedState export_state(Request& request);
  // Keeps a saved state for those that begin with its tokens.
  StateImport import_state(CachedState state, const std::string& salt);

  // Milliseconds one prompt row costs, for judging whether a copy pays.
  void row_cost(double milliseconds) { row_ms_ = milliseconds; }

  CacheStats stats() const;
  // Proves that every cell the backend holds has an owner and every owner's
  // cells are there. Throws BrokenInvariant.
  void check() const;

 private:
  struct Sequence {
    Request* holder = nullptr;
    std::vector<TokenId> tokens;  // what is kept when nobody holds it
    std::string salt;
    std::uint64_t last_used = 0;
  };
  struct Prefix {
    SequenceId source = kNoSequence;
    Position length = 0;
  };

  Sequence& at(SequenceId sequence) { return sequences_.at(static_cast<std::size_t>(sequence)); }
  const Sequence& at(SequenceId sequence) const {
    return sequences_.at(static_cast<std::size_t>(sequence));
  }
  [[nodiscard]] bool shares(const Request& request) const;
  Position most_reusable(const Request& request) const;
  Position reusable(const Request& request, SequenceId source, std::size_t matching) const;
  Prefix computed_prefix(const Request& request) const;
  [[nodiscard]] bool worth_waiting(const Request& request, Position computed) const;
  Position coming(const Request& request, const Request* other, std::size_t matching) const;
  [[nodiscard]] bool pays(double cost_ms, Position gain) const;
  PrefixTree::Match kept_prefix(const Request& request, Position computed) const;
  [[nodiscard]] bool redundant(const Request& request, std::span<const TokenId> tokens) const;

  void plan_checkpoints(Request& request);
  void ask_older(const Request& request);
  void drop_checkpoints(Request& request) const;
  [[nodiscard]] bool keeps_here(const Request& request) const;
  CachedState take_checkpoint(std::span<const TokenId> prompt, const std::string& salt) const;
  CachedState take_longer(std::span<const TokenId> prompt, const std::string& salt) const;

  SequenceId choose_place(SequenceId spared) const;
  void hold(Request& request, SequenceId sequence);
  void let_go(Request& request);
  void seat_restored(Request& request);
  void take_over(Request& request, Prefix prefix);
  void fill(Request& request);
  [[nodiscard]] bool restore(Request& request, PrefixTree::Match kept);
  void reuse(Request& request, Position length);
  SequenceId longest_unused(SequenceId spared) const;
  [[nodiscard]] bool restore_kept(Request& request);
  [[nodiscard]] bool put_back(SequenceId sequence, std::span<const std::uint8_t> state,
                              Position cells);
  void drop_contained(const Request& request, std::span<const TokenId> tokens);
  void evict(SequenceId sequence);
  void preserve(SequenceId sequence);
  void empty(SequenceId sequence);

  const BackendLimits limits_;
  const CacheConfig config_;
  const std::unique_ptr<KvStore> store_;
  HostTier host_;
  PrefixForest prefixes_;
  std::vector<Sequence> sequences_;
  std::int32_t running_ = 0;
  std::uint64_t uses_ = 0;
  CacheStats totals_;
  double row_ms_ = 0;
};

}  // namespace infernode
