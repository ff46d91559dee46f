// What becomes of a request when a row of it was computed: it gets the token that was chosen, or
// it ends, exactly once, and what it computed is kept for those that begin alike.
// Engine thread only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "core/cache/kv_cache.h"
#include "core/drafting/drafting.h"
#include "core/sampling/token_chooser.h"
#include "core/types.h"
#include "publisher.h"
#include "request.h"
#include "scheduler.h"

namespace infernode {

struct TokenStats {
  std::int64_t generated_tokens = 0;
  std::int64_t masked_rows = 0;  // whose first draw a grammar refused
};

// Why a request fails whose logits are no numbers.
Failure unusable_logits();

class Endings {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // Whom an end concerns. All of them outlive this; `living` counts the requests that were
  // accepted and have not ended.
  struct Concerned {
    Scheduler& scheduler;
    KvCache& cache;
    Drafting& drafting;
    Publisher& publisher;
    std::atomic<std::size_t>& living;
  };
  Endings(const Concerned& concerned, std::int32_t context_length, Clock clock);

  // Gives the request its next token. False when it has ended, and is gone.
  [[nodiscard]] bool apply(Request& request, TokenChoice choice);
  // The one end of a request that embeds, from the hidden state of its last row.
  void embedded(Request& request, std::span<const float> hidden);
  // Ends the request, which is gone then.
  void end(Request& request, FinishReason reason, std::optional<Failure> failure = std::nullopt);
  // Takes the request off the list of those that live, after its end was told.
  void remove(Request& request);

  const TokenStats& stats() const { return totals_; }

 private:
  void leave(Request& request, bool keep_computed);
  [[nodiscard]] std::optional<FinishReason> finish_reason(const Request& request,
                                                          const TokenChoice& choice) const;

  const Concerned concerned_;
  const std::int32_t context_length_;
  const Clock clock_;
  TokenStats totals_;
};

}  // namespace infernode
