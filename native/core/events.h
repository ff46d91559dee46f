// The events of an engine: acceptance of a request, at most one delta per request and token, and
// exactly one end per accepted request. The engine thread publishes at most once per step (short
// steps share one), and once more where a step accepts a request on an engine that generates
// nothing (0028) or is the last of steps that overlap (0045); the sink must not block.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/sampling/log_probs.h"
#include "types.h"

namespace infernode {

struct Delta {
  RequestId id;
  TokenId token;                              // kNoToken: only text that was held back before
  std::string text;                           // whole UTF-8 characters; may be empty
  std::shared_ptr<const LogProbs> log_probs;  // of the token, if requested
};

// All tokens of a request's prompt, if requested; published with its acceptance.
struct PromptTokens {
  RequestId id;
  std::vector<TokenId> tokens;
};

// The next log-probabilities of a prompt, if requested, in order from its second token. All are
// published before the request's first delta.
struct PromptLogProbs {
  RequestId id;
  std::vector<PromptLogProb> tokens;
};

struct End {
  RequestId id;
  FinishReason reason;
  std::optional<Failure> failure;  // set when reason is kError
  Usage usage;
  Timings timings;
  std::vector<float> embedding;  // of an embedding request, or the scores of a ranking one
  // Of a request that saves its state; null where the state cannot be read.
  std::shared_ptr<const CachedState> state;
};

struct StepEvents {
  std::vector<RequestId> accepted;  // precede the deltas and ends of the same publication
  std::vector<PromptTokens> prompts;
  std::vector<PromptLogProbs> prompt_log_probs;
  std::vector<Delta> deltas;
  std::vector<End> ends;

  // Appends what was published after these. Where it throws, nothing has changed.
  void append(StepEvents&& later);
  [[nodiscard]] bool empty() const {
    return accepted.empty() && prompt_log_probs.empty() && deltas.empty() && ends.empty();
  }
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  // May be called by any thread. Where it throws, the events are still the caller's, unchanged.
  virtual void publish(StepEvents&& events) = 0;
};

}  // namespace infernode
