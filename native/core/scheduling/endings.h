// Applies sampled tokens to requests and ends each request exactly once, with a finish reason; the
// KV cells of an ended request are kept for requests with the same prefix.
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
  std::int64_t masked_rows = 0;  // rows of which a grammar refused the first draw
};

// The error of a request whose logits are NaN.
Failure unusable_logits();

class Endings {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // The objects from which a request is removed when it ends. All of them outlive this; `living`
  // counts the requests that were admitted and have not ended.
  struct Parts {
    Scheduler& scheduler;
    KvCache& cache;
    Drafting& drafting;
    Publisher& publisher;
    std::atomic<std::size_t>& living;
  };
  Endings(const Parts& parts, std::int32_t context_length, Clock clock);

  // Appends the request's next token. False: it has ended and no longer exists.
  [[nodiscard]] bool apply(Request& request, TokenChoice choice);
  // Ends an embedding request with the hidden state of its last row.
  void embedded(Request& request, std::span<const float> hidden);
  // Ends the request, which no longer exists then.
  void end(Request& request, FinishReason reason, std::optional<Failure> failure = std::nullopt);
  // Removes a request whose end has been published from the scheduler.
  void remove(Request& request);

  const TokenStats& stats() const { return totals_; }

 private:
  void release(Request& request, bool keep_computed);
  [[nodiscard]] std::optional<FinishReason> finish_reason(const Request& request,
                                                          const TokenChoice& choice) const;

  const Parts parts_;
  const std::int32_t context_length_;
  const Clock clock_;
  TokenStats totals_;
};

}  // namespace infernode
