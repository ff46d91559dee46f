#include "endings.h"

#include <utility>
#include <vector>

#include "core/sampling/rank_head.h"

namespace infernode {

namespace {

// Why no token could be chosen: the request's own options, if it has any that forbid tokens.
Failure no_token(const Request& request) {
  const GenerateParams& params = request.spec.params;
  if (request.output.constraint || !params.sampling.logit_bias.empty() ||
      !params.allowed_tokens.empty() || !params.bad_phrases.empty()) {
    return {ErrorCode::kInvalidOption,
            "No token is allowed here: logit biases, allowed tokens or bad words forbid every "
            "token, or the grammar, schema, regex or choice requires text that the vocabulary "
            "cannot spell. Allow more tokens."};
  }
  return unusable_logits();
}

// Whether a request that ends for this reason has computed its prompt.
bool is_whole(FinishReason reason) {
  return reason == FinishReason::kStop || reason == FinishReason::kLength;
}

}  // namespace

Failure unusable_logits() {
  return {ErrorCode::kDecodeFailed,
          "The model computed no usable logits (all are NaN or -infinity); the model file may "
          "be damaged."};
}

Endings::Endings(const Parts& parts, std::int32_t context_length, Clock clock)
    : parts_(parts), context_length_(context_length), clock_(std::move(clock)) {}

void Endings::embedded(Request& request, std::span<const float> hidden) {
  const RankHead* head = request.spec.params.rank_head.get();
  std::vector<float> embedding =
      head == nullptr ? std::vector<float>(hidden.begin(), hidden.end()) : head->scores(hidden);
  release(request, true);
  parts_.publisher.embedded(request, std::move(embedding), clock_());
  remove(request);
}

bool Endings::apply(Request& request, TokenChoice choice) {
  request.progress.isolated = false;
  const double now = clock_();
  const bool first = request.times.first_token < 0;
  if (first) request.times.first_token = now;
  request.times.last_token = now;
  totals_.masked_rows += choice.masked ? 1 : 0;
  if (choice.failure) {
    end(request, FinishReason::kError, std::move(choice.failure));
    return false;
  }

  if (choice.token == kNoToken && choice.complete) {
    end(request, FinishReason::kStop);
    return false;
  }
  if (choice.token == kNoToken) {
    end(request, FinishReason::kError, no_token(request));
    return false;
  }
  const auto reason = finish_reason(request, choice);
  if (!choice.ends_generation || request.spec.params.include_stop) {
    request.progress.known.push_back(choice.token);
    if (choice.log_probs != nullptr) request.output.log_probs.push_back(choice.log_probs);
    ++totals_.generated_tokens;
    parts_.publisher.token(request, std::move(choice), first);
  }
  if (reason) end(request, *reason);
  return !reason;
}

// The reason to end with this token, if any.
std::optional<FinishReason> Endings::finish_reason(const Request& request,
                                                   const TokenChoice& choice) const {
  if (choice.ends_generation || choice.text.stopped || choice.complete) return FinishReason::kStop;
  const std::int32_t limit = request.spec.params.max_tokens;
  if (limit > 0 && request.generated_tokens() + 1 >= limit) return FinishReason::kLength;
  if (static_cast<std::int32_t>(request.progress.known.size()) + 1 >= context_length_)
    return FinishReason::kLength;
  return std::nullopt;
}

void Endings::end(Request& request, FinishReason reason, std::optional<Failure> failure) {
  // Before the sequence is released: another request may then get it.
  CachedState state;
  if (request.spec.params.saves && is_whole(reason)) state = parts_.cache.export_state(request);
  release(request, reason != FinishReason::kError);
  parts_.publisher.end(request, reason, std::move(failure), std::move(state), clock_());
  remove(request);
}

// Everything that may throw comes before the end is published, so that after an exception the
// request is still living and will be ended with the engine.
void Endings::release(Request& request, bool keep_computed) {
  if (request.progress.has_sequence()) parts_.cache.release(request, keep_computed);
  parts_.cache.drop_saved(request);
  parts_.drafting.release(request);
  request.progress.advance(StageEvent::kEnd);
}

void Endings::remove(Request& request) {
  parts_.scheduler.remove(request);
  parts_.living.fetch_sub(1);
}

}  // namespace infernode
