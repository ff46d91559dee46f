// Which request holds which sequence: a change of a sequence's holder, or the loss of its state, is
// made both in the bookkeeping (SequenceTable) and in the backend (KvStore). What a request
// computes, KvCache restores or copies into the sequence it holds, directly in the store. check()
// proves that the books and the backend agree. Evicts idle prefixes to host memory where their
// sequences or cells are needed. Engine thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/backend.h"
#include "core/scheduling/request.h"
#include "core/types.h"
#include "host_tier.h"
#include "kv_store.h"
#include "sequence_table.h"

namespace infernode {

struct SlotMove {
  SequenceId from;
  SequenceId to;
};

class Ledger {
 public:
  // All of them outlive this.
  Ledger(const BackendLimits& limits, KvStore& store, HostTier& host)
      : limits_(limits),
        store_(store),
        host_(host),
        sequences_(limits.slots + limits.idle_sequences) {}

  const SequenceTable& sequences() const { return sequences_; }
  std::int64_t evictions() const { return evictions_; }
  // Cells of held and of idle sequences.
  CellCounts cells() const;

  // Evicts idle prefixes, the least recently used first, until `wanted` cells are free. Returns how
  // many are, at most `wanted`.
  std::int32_t make_room(std::int32_t wanted);
  // A request gets a sequence; an idle prefix there is evicted. `findable`: other requests may
  // find the request's tokens.
  void hold(Request& request, SequenceId sequence, bool findable);
  // A request gets an idle sequence, with the first `length` positions of what it keeps.
  void take_over(Request& request, SequenceId sequence, Position length, bool findable);
  // A request releases its sequence, which must then be kept or cleared.
  SequenceId release(Request& request);
  // A released sequence keeps the state of these tokens as an idle prefix.
  void keep(SequenceId sequence, std::vector<TokenId> tokens, const std::string& salt) {
    sequences_.keep(sequence, std::move(tokens), salt);
  }
  // Moves a request to a sequence that no request holds, through host memory. False: it is where
  // it was.
  [[nodiscard]] bool move(SlotMove move);
  // All sequences lose their requests; the backend is not asked. Throws nothing.
  void abandon() noexcept;

  // Clears the sequence of a request, whose tokens are then computed again.
  void clear(Request& request);
  // Clears a sequence, whether a request holds it or not.
  void clear(SequenceId sequence);
  // Truncates a sequence; clears it where the backend cannot truncate there.
  void roll_back(SequenceId sequence, Position from);

  // Throws BrokenInvariant where SequenceTable::check() does, where the backend holds more or fewer
  // positions than the books say, a pool's cells are counted wrongly, or host memory's bytes are;
  // `saved`: HostTier::check().
  void check(std::size_t saved) const;

 private:
  void evict(SequenceId sequence);
  void save(SequenceId sequence);

  const BackendLimits& limits_;
  KvStore& store_;
  HostTier& host_;
  SequenceTable sequences_;
  std::int64_t evictions_ = 0;
};

}  // namespace infernode
