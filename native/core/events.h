// What an engine tells the world: that it accepted a request, at most one delta per
// request and step, and exactly one end per accepted request. The engine thread
// publishes once per step; what the sink does with it must not block.
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
  TokenId token;     // kNoToken: text that was held back, without a new token
  std::string text;  // whole UTF-8 characters; may be empty
  std::shared_ptr<const LogProbs> log_probs;  // of the token, where asked for
};

// All tokens of a request's prompt, where asked for; told with its acceptance.
struct PromptTokens {
  RequestId id;
  std::vector<TokenId> tokens;
};

// More of a request's prompt, where asked for: of the tokens after those already told, from the
// second on. All are told before the request's first delta.
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
  std::vector<float> embedding;  // of a request that embeds; its scores where it ranks
  // Of one that saves; null where there is none to be had.
  std::shared_ptr<const CachedState> state;
};

struct StepEvents {
  std::vector<RequestId> accepted;  // told before their deltas and ends
  std::vector<PromptTokens> prompts;
  std::vector<PromptLogProbs> prompt_log_probs;
  std::vector<Delta> deltas;
  std::vector<End> ends;
  [[nodiscard]] bool empty() const {
    return accepted.empty() && prompt_log_probs.empty() && deltas.empty() && ends.empty();
  }
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  // Takes the events; any thread may call.
  virtual void publish(StepEvents events) = 0;
};

}  // namespace infernode
