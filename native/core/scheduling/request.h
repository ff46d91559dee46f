// One request, in three parts: what was asked, its progress, its output. The engine thread owns it;
// the caller keeps only its RequestControl.
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

// How a caller controls a request that it has submitted. Lock-free; the engine reads it at the
// start of each step.
struct RequestControl {
  std::atomic<bool> cancelled{false};
  std::atomic<std::int64_t> acknowledged{0};  // tokens its consumer has read
  std::atomic<bool> wants_wake{false};        // the engine wants a wake() when `acknowledged` grows
};

// Unread tokens after which a request pauses: at 32 bytes a token and 256 requests, 2 MiB in all.
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

// The progress of a request: its stage, and how many of its known tokens (prompt and generated) are
// computed, that is, have positions in the KV cache.
struct Progress {
  std::vector<TokenId> known;  // the prompt, then the generated tokens
  Position computed = 0;       // known[0, computed) are in the KV cache
  Position scored = 0;  // rows [0, scored) have given the log-probability of the next prompt token
  SequenceId sequence = kNoSequence;
  StateBytes saved;  // the state of known[0, saved_length), while preempted
  Position saved_length = 0;
  std::uint64_t arrival = 0;  // order of acceptance
  // Prompt tokens that were already computed when the request first got a sequence.
  std::int32_t cached_prompt_tokens = 0;
  // Positions, ascending, where prefill stops and the state is saved for other requests.
  std::vector<Position> checkpoints;
  bool isolated = false;  // was in a failing pass: is computed alone next, and never awaits
  bool paused = false;    // its consumer reads too slowly; set at the start of each step

  [[nodiscard]] Stage stage() const { return stage_; }
  // Throws BrokenInvariant for an event that the stage does not allow.
  void advance(StageEvent event) {
    const std::optional<Stage> next = next_stage(stage_, event);
    INFERNODE_CHECK(next, "a request's stage does not allow this event");
    stage_ = *next;
  }

  // Known tokens that are not computed yet. One is computed as a decode row; more are prefilled,
  // the last of them with logits.
  [[nodiscard]] std::int32_t gap() const {
    return static_cast<std::int32_t>(known.size()) - computed;
  }
  [[nodiscard]] bool has_sequence() const { return sequence != kNoSequence; }
  [[nodiscard]] bool ready_to_decode() const { return gap() == 1; }
  // Whether it will compute prompt rows, now or when it no longer awaits another request.
  [[nodiscard]] bool will_prefill() const { return !paused && (awaits() || gap() > 1); }
  [[nodiscard]] bool awaits() const { return stage_ == Stage::kAwaiting; }

  void take_sequence(SequenceId id) {
    advance(StageEvent::kSeat);
    sequence = id;
  }
  void release_sequence() {
    advance(StageEvent::kRelease);
    forget_sequence();
  }
  // Checks nothing: called when the books themselves may be inconsistent.
  void forget_sequence() noexcept {
    stage_ = Stage::kQueued;
    computed = 0;
    sequence = kNoSequence;
    checkpoints.clear();
  }

 private:
  Stage stage_ = Stage::kQueued;
};

// The output of a request: how its tokens are chosen, and their text.
struct Output {
  Sampler sampler;
  TextStream text;
  std::optional<Constraint> constraint;
  // One per generated token, if requested.
  std::vector<std::shared_ptr<const LogProbs>> log_probs;
};

class Request {
 public:
  Request(RequestId id, std::vector<TokenId> prompt, GenerateParams params,
          std::shared_ptr<RequestControl> control, std::int32_t vocabulary_size);

  // A copy with the same tokens so far and another random seed. It has no sequence and no computed
  // tokens.
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
  // Whether too many tokens are unread. Sets wants_wake before it looks a second time, so that no
  // acknowledgement in between is lost.
  [[nodiscard]] bool lagging() const;

  // Whether log-probabilities of its prompt are requested and not all published yet.
  [[nodiscard]] bool scores_prompt() const { return scores_at(progress.scored); }
  // Whether the row of a known token gives a requested log-probability of the next prompt token.
  [[nodiscard]] bool scores_at(Position position) const {
    return spec.params.prompt_log_probs >= 0 && position >= progress.scored &&
           position + 1 < spec.prompt_tokens;
  }

  // The first `length` known tokens were found in the cache.
  void reuse(Position length) {
    progress.computed = length;
    if (times.first_token < 0) progress.cached_prompt_tokens = std::min(length, spec.prompt_tokens);
  }
};

}  // namespace infernode
