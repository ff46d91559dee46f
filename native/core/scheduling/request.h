// One request, in three parts: what was asked, how far it is, what it says. The engine thread
// owns it; the caller keeps only its RequestControl.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/grammar/constraint.h"
#include "core/sampling/log_probs.h"
#include "core/sampling/sampler.h"
#include "core/text/text_stream.h"
#include "core/types.h"
#include "stage.h"

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

// What was asked. Never changes.
struct RequestSpec {
  RequestId id = 0;
  GenerateParams params;
  std::int32_t prompt_tokens = 0;
  std::shared_ptr<RequestControl> control;
};

// How far a request is: its stage, and within it how many of its known tokens (prompt and
// generated) are computed (positions in the KV cache). The scheduler closes that gap.
struct Progress {
  std::vector<TokenId> known;  // the prompt, then what was generated
  Position computed = 0;       // known[0, computed) are in the KV cache
  Position told = 0;           // rows [0, told) have told of the prompt token after each
  SequenceId sequence = kNoSequence;
  StateBytes saved;  // known[0, saved_length) while preempted
  Position saved_length = 0;
  std::uint64_t arrival = 0;  // order of acceptance
  // Computed for others before, when the request was first seated.
  std::int32_t cached_prompt_tokens = 0;
  // Where its state will be kept for others, ascending; prefill stops there.
  std::vector<Position> checkpoints;
  bool isolated = false;  // was in a failing pass: computed alone next, and never awaits
  bool paused = false;    // its consumer lags; set at each step's start

  [[nodiscard]] Stage stage() const { return stage_; }
  // What cannot happen in its stage breaks the engine.
  void happened(StageEvent event) {
    const std::optional<Stage> next = next_stage(stage_, event);
    INFERNODE_CHECK(next, "something happens to a request that its stage excludes");
    stage_ = *next;
  }

  // Known tokens that are not computed yet. One is a decode row; more are
  // prefilled, the last of them with logits.
  [[nodiscard]] std::int32_t gap() const {
    return static_cast<std::int32_t>(known.size()) - computed;
  }
  [[nodiscard]] bool has_place() const { return sequence != kNoSequence; }
  [[nodiscard]] bool ready_to_decode() const { return gap() == 1; }
  // Whether rows of its prompt are about to be computed, now or once it awaits no longer.
  [[nodiscard]] bool will_prefill() const { return !paused && (awaits() || gap() > 1); }
  [[nodiscard]] bool awaits() const { return stage_ == Stage::kAwaiting; }

  void take_place(SequenceId place) {
    happened(StageEvent::kSeat);
    sequence = place;
  }
  void leave_place() {
    happened(StageEvent::kLeave);
    forget_place();
  }
  // Checks nothing: for when the books are what broke.
  void forget_place() noexcept {
    stage_ = Stage::kQueued;
    computed = 0;
    sequence = kNoSequence;
    checkpoints.clear();
  }

 private:
  Stage stage_ = Stage::kQueued;
};

// What a request says: how its tokens are chosen, and how they become text.
struct Output {
  Sampler sampler;
  TextStream text;
  std::optional<Constraint> constraint;
  // One per generated token, where asked for.
  std::vector<std::shared_ptr<const LogProbs>> log_probs;
};

class Request {
 public:
  Request(RequestId id, std::vector<TokenId> prompt, GenerateParams params,
          std::shared_ptr<RequestControl> control, std::int32_t vocabulary_size);

  // The same generation so far, to go on with random numbers of its own. It
  // holds no place and has computed nothing.
  [[nodiscard]] std::unique_ptr<Request> fork(RequestId id, std::uint64_t seed,
                                              std::shared_ptr<RequestControl> control,
                                              std::int32_t vocabulary_size) const;

  const RequestSpec spec;
  Progress progress;
  Output output;
  RequestTimes times;

  [[nodiscard]] std::int32_t generated_tokens() const {
    return static_cast<std::int32_t>(progress.known.size()) - spec.prompt_tokens;
  }
  [[nodiscard]] bool cancelled() const {
    return spec.control->cancelled.load(std::memory_order_relaxed);
  }
  // True while the consumer lags too far behind. Arms the wake-up before it
  // looks a second time, so an acknowledgement in between is never lost.
  [[nodiscard]] bool lagging() const;

  // Whether the log-probabilities of its prompt are wanted and not all told yet.
  [[nodiscard]] bool tells_prompt() const { return tells_at(progress.told); }
  // Whether the row of a known token tells how likely the prompt's next one was.
  [[nodiscard]] bool tells_at(Position position) const {
    return spec.params.prompt_log_probs >= 0 && position >= progress.told &&
           position + 1 < spec.prompt_tokens;
  }

  // The first `length` known tokens are there without computing them.
  void reuse(Position length) {
    progress.computed = length;
    if (times.first_token < 0) progress.cached_prompt_tokens = std::min(length, spec.prompt_tokens);
  }
};

}  // namespace infernode
