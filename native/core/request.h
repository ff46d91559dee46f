// One generation's progress. There are no phases: a request has known tokens
// (prompt and generated) and computed ones (positions in the KV cache), and
// the scheduler closes the gap. The engine thread owns a Request; the caller
// keeps only its RequestControl.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "constraint.h"
#include "log_probs.h"
#include "sampler.h"
#include "text_stream.h"
#include "types.h"

namespace infernode {

// What a caller may still do to a request it has handed over. Lock-free; the
// engine reads it at every step boundary.
struct RequestControl {
  std::atomic<bool> cancelled{false};
  std::atomic<std::int64_t> acknowledged{0};  // tokens its consumer has read
  std::atomic<bool> wants_wake{false};        // the engine waits for `acknowledged`
};

// Tokens a consumer may leave unread before its request is no longer
// scheduled: at 32 bytes a token and 256 requests, 2 MiB held in all.
constexpr std::int64_t kUnreadTokensAllowed = 256;

struct RequestTimes {  // milliseconds of the engine's clock
  double accepted = 0;
  double scheduled = -1;
  double first_token = -1;
  double last_token = -1;
};

class Request {
 public:
  Request(RequestId id, std::vector<TokenId> prompt, GenerateParams params,
          std::shared_ptr<RequestControl> control, std::int32_t vocabulary_size);

  // The same generation so far, to go on with random numbers of its own. It
  // holds no place and has computed nothing.
  std::unique_ptr<Request> fork(RequestId id, std::uint64_t seed,
                                std::shared_ptr<RequestControl> control,
                                std::int32_t vocabulary_size) const;

  const RequestId id;
  const GenerateParams params;
  const std::int32_t prompt_tokens;
  const std::shared_ptr<RequestControl> control;

  std::vector<TokenId> known;  // the prompt, then what was generated
  // One per generated token, where asked for.
  std::vector<std::shared_ptr<const LogProbs>> log_probs;
  Position computed = 0;  // known[0, computed) are in the KV cache
  SequenceId sequence = kNoSequence;
  std::vector<std::uint8_t> saved;  // known[0, saved_length) while preempted
  Position saved_length = 0;
  std::uint64_t arrival = 0;  // order of acceptance
  // Computed for others before, when the request was first seated.
  std::int32_t cached_prompt_tokens = 0;
  // Where its state will be kept for others, ascending; prefill stops there.
  std::vector<Position> checkpoints;
  bool awaiting = false;  // an older request computes this one's beginning
  bool suspect = false;   // was in a failing pass: computed alone next
  bool paused = false;    // its consumer lags; set at each step's start
  Sampler sampler;
  TextStream text;
  std::optional<Constraint> constraint;
  RequestTimes times;

  std::int32_t generated_tokens() const {
    return static_cast<std::int32_t>(known.size()) - prompt_tokens;
  }
  // Known tokens that are not computed yet. One is a decode row; more are
  // prefilled, the last of them with logits.
  std::int32_t gap() const { return static_cast<std::int32_t>(known.size()) - computed; }
  [[nodiscard]] bool ready_to_decode() const { return gap() == 1; }
  [[nodiscard]] bool cancelled() const {
    return control->cancelled.load(std::memory_order_relaxed);
  }
  // True while the consumer lags too far behind. Arms the wake-up before it
  // looks a second time, so an acknowledgement in between is never lost.
  [[nodiscard]] bool lagging() const;

  // The first `length` known tokens are there without computing them.
  void reuse(Position length) {
    computed = length;
    if (times.first_token < 0) cached_prompt_tokens = std::min(length, prompt_tokens);
  }
  // The sequence is another's; everything known must be recomputed.
  void forget_computed() {
    computed = 0;
    sequence = kNoSequence;
    awaiting = false;
    checkpoints.clear();
  }
};

}  // namespace infernode
