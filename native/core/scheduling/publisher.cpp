#include "publisher.h"

#include <utility>

namespace infernode {

namespace {

Timings timings_of(const RequestTimes& times, double now) {
  Timings timings;
  timings.total_ms = now - times.accepted;
  const double scheduled = times.scheduled < 0 ? now : times.scheduled;
  timings.queue_ms = scheduled - times.accepted;
  if (times.first_token < 0) return timings;
  timings.prefill_ms = times.first_token - scheduled;
  timings.decode_ms = times.last_token - times.first_token;
  return timings;
}

}  // namespace

void Publisher::accepted(RequestId id, bool awaited) {
  events_.accepted.push_back(id);
  acceptance_awaited_ = acceptance_awaited_ || awaited;
}

void Publisher::prompt(const Request& request) {
  if (request.spec.params.prompt_tokens)
    events_.prompts.push_back({request.spec.id, request.progress.known});
}

void Publisher::prompt_log_probs(RequestId id, std::vector<PromptLogProb> tokens) {
  events_.prompt_log_probs.push_back({id, std::move(tokens)});
}

void Publisher::token(const Request& request, TokenChoice choice, bool first) {
  urgent_ = urgent_ || first;
  events_.deltas.push_back(
      {request.spec.id, choice.token, std::move(choice.text.text), std::move(choice.log_probs)});
}

void Publisher::fork_prefix(const Request& fork, const Vocab& vocab) {
  TextStream text(fork.spec.params.stop, fork.spec.params.include_stop);
  for (std::size_t i = 0; i < static_cast<std::size_t>(fork.generated_tokens()); ++i) {
    const TokenId token =
        fork.progress.known[static_cast<std::size_t>(fork.spec.prompt_tokens) + i];
    events_.deltas.push_back(
        {fork.spec.id, token, text.append(vocab.piece(token)).text,
         i < fork.output.log_probs.size() ? fork.output.log_probs[i] : nullptr});
  }
}

void Publisher::end(Request& request, FinishReason reason, std::optional<Failure> failure,
                    CachedState state, double now) {
  const Usage usage{request.spec.prompt_tokens, request.progress.cached_prompt_tokens,
                    request.generated_tokens()};
  End end{
      request.spec.id, reason, std::move(failure), usage, timings_of(request.times, now), {}, {}};
  if (!state.state.empty()) end.state = std::make_shared<const CachedState>(std::move(state));
  // On a copy and apart, so that a second call after a lack of memory finds all of the text.
  TextStream text = request.output.text;
  std::string rest = text.finish();
  StepEvents last;
  if (!rest.empty()) last.deltas.push_back({request.spec.id, kNoToken, std::move(rest), nullptr});
  last.ends.push_back(std::move(end));
  events_.append(std::move(last));
  request.output.text = std::move(text);
  urgent_ = true;
}

void Publisher::add(End end) {
  events_.ends.push_back(std::move(end));
  urgent_ = true;
}

void Publisher::embedded(const Request& request, std::vector<float> embedding, double now) {
  const Usage usage{request.spec.prompt_tokens, request.progress.cached_prompt_tokens, 0};
  add({request.spec.id,
       FinishReason::kStop,
       {},
       usage,
       timings_of(request.times, now),
       std::move(embedding),
       {}});
}

void Publisher::refuse(RequestId id, FinishReason reason, std::optional<Failure> failure) {
  add({id, reason, std::move(failure), {}, {}, {}, {}});
}

void Publisher::publish(double now) {
  sink_.publish(std::move(events_));
  events_ = {};
  urgent_ = false;
  acceptance_awaited_ = false;
  published_ms_ = now;
}

}  // namespace infernode
