// Prefix matching: the longest prefix of a request that a sequence or host memory holds, or that an
// older request is about to compute, and whether reusing it costs less than computing it again. It
// only searches; KvCache copies and restores.
// Engine thread only.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/backend.h"
#include "core/scheduling/request.h"
#include "core/types.h"
#include "host_tier.h"
#include "kv_store.h"
#include "sequence_table.h"

namespace infernode {

constexpr Position kLeastGain = 16;  // tokens worth waiting or asking host memory for

struct CacheConfig {
  bool keeps_prefixes = true;  // false: every prompt is computed whole
  std::size_t host_limit = 0;  // bytes of states in host memory
  // Reuse changes no bit of the logits: only prompt rows are reused, since a decode row rounds
  // differently, and as many rows of a prompt remain to be computed as round alike.
  bool deterministic = false;
};

class PrefixReuse {
 public:
  // What holds prefixes. All of them outlive this.
  struct Holders {
    const SequenceTable& sequences;
    const HostTier& host;
    const KvStore& store;
  };
  PrefixReuse(const BackendLimits& limits, CacheConfig config, const Holders& holders);

  // Whether the request's cells may be shared with other requests. Not if its prompt is scored in
  // passes of so few rows that they are rounded differently.
  [[nodiscard]] bool shares(const Request& request) const;
  // Whether its state is also kept for later requests.
  [[nodiscard]] bool keeps(const Request& request) const {
    return shares(request) && config_.keeps_prefixes;
  }
  // The first position of the last piece of the prompt, which is always computed.
  Position last_piece(const Request& request) const;
  // Tokens of the request that may be reused at most: none that has to score its prompt.
  Position most_reusable(const Request& request) const;
  // Rows of a prompt's end that are computed by themselves at the least.
  Position least_piece() const { return config_.deterministic ? limits_.facts.wide_rows : 1; }
  // Positions of an ending request that may serve others; 0: none.
  Position worth_keeping(const Request& request) const;

  struct Prefix {
    SequenceId source = kNoSequence;
    Position length = 0;
  };
  // The longest beginning of the request that a sequence holds.
  Prefix in_sequences(const Request& request) const;
  // The entry of host memory with the longest beginning, if that is enough more than the
  // `computed` tokens a sequence holds to be worth its price.
  PrefixTree::Match in_host_memory(const Request& request, Position computed) const;
  // Whether an older request is about to compute enough more of the request's tokens than are
  // `computed`.
  [[nodiscard]] bool worth_awaiting(const Request& request, Position computed) const;
  // Length of the prefix in common with running requests, whose cells it can share.
  Position common_with_running(const Request& request) const;
  // Whether some sequence holds all of these tokens.
  [[nodiscard]] bool held(std::span<const TokenId> tokens, const std::string& salt) const;
  // An idle sequence that holds all of these tokens; kNoSequence: none.
  SequenceId idle_with(std::span<const TokenId> tokens, const std::string& salt) const;
  // An idle sequence that holds a beginning of these tokens and no more; kNoSequence: none.
  SequenceId contained(std::span<const TokenId> tokens, const std::string& salt) const;

  // Whether so many milliseconds are less than computing `gain` tokens takes; true while no token's
  // time is measured.
  [[nodiscard]] bool pays(double cost_ms, Position gain) const;
  // Milliseconds to compute one prompt row, as measured.
  void row_cost(double milliseconds) { row_ms_ = milliseconds; }

 private:
  Position reusable(const Request& request, SequenceId source, std::size_t matching) const;
  Position about_to_compute(const Request& request, SequenceId source, std::size_t matching) const;
  PrefixTree::Match match(const Request& request, const PrefixTree::Usable& usable) const;

  const BackendLimits& limits_;
  const CacheConfig config_;
  const Holders holders_;
  double row_ms_ = 0;
};

}  // namespace infernode
