// Collects the events of steps and publishes them. Waking JavaScript costs a tenth of a millisecond
// of both cores of a small machine, so short steps share a publication; a first token and an end do
// not wait. A function that throws may have added events, never an end. Engine thread only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/events.h"
#include "core/sampling/token_chooser.h"
#include "request.h"

namespace infernode {

class Publisher {
 public:
  // `sink` outlives it. Events wait for `interval_ms` at most.
  Publisher(EventSink& sink, double interval_ms) : sink_(sink), interval_ms_(interval_ms) {}

  // The engine has accepted a request. `awaited`: its caller may wait for that.
  void accepted(RequestId id, bool awaited);
  // An accepted request's prompt, if requested.
  void prompt(const Request& request);
  // The next log-probabilities of a request's prompt.
  void prompt_log_probs(RequestId id, std::vector<PromptLogProb> tokens);
  // A request's next token; its first one is urgent.
  void token(const Request& request, TokenChoice choice, bool first);
  // The tokens that a fork takes over from its source.
  void fork_prefix(const Request& fork, const Vocab& vocab);
  // The one end of a request that embeds, as a vector or as scores.
  void embedded(const Request& request, std::vector<float> embedding, double now);
  // The request's one end, after the text that was held back; with its state, if any. Where it
  // throws, nothing has changed.
  void end(Request& request, FinishReason reason, std::optional<Failure> failure, CachedState state,
           double now);
  // The end of a fork that never became a request.
  void refuse(RequestId id, FinishReason reason, std::optional<Failure> failure);

  [[nodiscard]] bool empty() const { return events_.empty(); }
  // Whether a caller may wait for an acceptance that is not published yet.
  [[nodiscard]] bool acceptance_awaited() const { return acceptance_awaited_; }
  // Whether events may wait for the next step.
  [[nodiscard]] bool may_wait(double now) const {
    return !urgent_ && now - published_ms_ < interval_ms_;
  }
  void publish(double now);

 private:
  void add(End end);

  EventSink& sink_;
  const double interval_ms_;
  StepEvents events_;
  bool urgent_ = false;  // events_ holds a first token or an end
  bool acceptance_awaited_ = false;
  double published_ms_ = 0;
};

}  // namespace infernode
