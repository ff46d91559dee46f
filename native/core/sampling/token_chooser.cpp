#include "token_chooser.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

namespace infernode {

namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

}  // namespace

TokenChooser::TokenChooser(std::shared_ptr<const Vocab> vocab) : vocab_(std::move(vocab)) {
  for (TokenId token = 0; token < vocab_->size(); ++token) {
    if (vocab_->is_end_of_generation(token)) end_tokens_.push_back(token);
  }
}

TokenChoice TokenChooser::choose(Request& request, std::span<float> logits,
                                 SamplerScratch& scratch) const {
  TokenChoice choice;
  try {
    choose(request, logits, scratch, choice);
  } catch (const Error& error) {
    choice.failure = Failure{error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    choice.failure = Failure{ErrorCode::kOutOfMemory,
                             "There was no memory to choose this request's next token; others are "
                             "not affected."};
  }
  return choice;
}

void TokenChooser::choose(Request& request, std::span<float> logits, SamplerScratch& scratch,
                          TokenChoice& choice) const {
  const std::int32_t log_probs = request.spec.params.log_probs;
  if (log_probs >= 0 || request.output.constraint) scratch.raw.assign(logits.begin(), logits.end());
  forbid(request, logits);
  choice.token = request.output.sampler.sample(logits, scratch);
  if (request.output.constraint) apply_constraint(request, logits, scratch, choice);
  if (choice.token == kNoToken) return;
  request.output.sampler.accept(choice.token);
  choice.ends_generation = ends_generation(request, choice.token);
  if (choice.ends_generation && !request.spec.params.include_stop) return;
  choice.text = request.output.text.append(vocab_of(request).piece(choice.token));
  if (log_probs >= 0) {
    choice.log_probs = std::make_shared<const LogProbs>(
        log_probs_of(scratch.raw, choice.token, log_probs, scratch));
  }
}

// The token is drawn without the grammar first: mostly the grammar allows it, and the whole
// vocabulary need not be masked.
void TokenChooser::apply_constraint(Request& request, std::span<float> logits,
                                    SamplerScratch& scratch, TokenChoice& choice) const {
  Constraint& constraint = *request.output.constraint;
  const Vocab& vocab = vocab_of(request);
  if (!constraint.binds()) return constraint.watch(vocab.piece(choice.token));
  const auto permitted = [&] {
    if (choice.token == kNoToken) return false;
    if (ends_generation(request, choice.token)) return constraint.may_end();
    return !vocab_->is_end_of_generation(choice.token) &&
           constraint.allows(vocab.piece(choice.token));
  };
  if (!permitted()) {
    choice.masked = true;
    std::ranges::copy(scratch.raw, logits.begin());
    mask(request, logits, scratch);
    choice.token = request.output.sampler.sample(logits, scratch);
    // The vocabulary cannot spell what the grammar wants next; a complete text ends here.
    if (choice.token == kNoToken) choice.complete = constraint.may_end();
  }
  if (choice.token == kNoToken || ends_generation(request, choice.token)) return;
  constraint.accept(vocab.piece(choice.token));
  choice.complete = constraint.complete();
}

void TokenChooser::mask(const Request& request, std::span<float> logits,
                        const SamplerScratch& scratch) const {
  request.output.constraint->mask(logits);
  const bool whole = request.output.constraint->may_end();
  const auto judge = [&](TokenId token) {
    if (token < 0 || static_cast<std::size_t>(token) >= logits.size()) return;
    const auto index = static_cast<std::size_t>(token);
    logits[index] = whole ? scratch.raw[index] : kForbidden;
  };
  if (!request.spec.params.ignore_eos) std::ranges::for_each(end_tokens_, judge);
  std::ranges::for_each(request.spec.params.stop_tokens, judge);
  forbid(request, logits);
}

namespace {

void forbid_others(std::span<float> logits, std::span<const TokenId> allowed) {
  std::vector<float> kept;
  for (const TokenId token : allowed) kept.push_back(logits[static_cast<std::size_t>(token)]);
  std::ranges::fill(logits, kForbidden);
  for (std::size_t i = 0; i < allowed.size(); ++i)
    logits[static_cast<std::size_t>(allowed[i])] = kept[i];
}

// Phrases are matched in generated tokens only, not across the end of the prompt.
void forbid_phrases(const Request& request, std::span<float> logits) {
  const std::span<const TokenId> generated =
      std::span(request.progress.known)
          .subspan(static_cast<std::size_t>(request.spec.prompt_tokens));
  for (const std::vector<TokenId>& phrase : request.spec.params.bad_phrases) {
    const std::size_t before = phrase.size() - 1;
    if (before > generated.size()) continue;
    if (std::ranges::equal(std::span(phrase).first(before), generated.last(before)))
      logits[static_cast<std::size_t>(phrase.back())] = kForbidden;
  }
}

}  // namespace

void TokenChooser::forbid(const Request& request, std::span<float> logits) const {
  const GenerateParams& params = request.spec.params;
  if (request.generated_tokens() < params.min_tokens) forbid_ends(request, logits);
  if (!params.allowed_tokens.empty()) forbid_others(logits, params.allowed_tokens);
  if (!params.bad_phrases.empty()) forbid_phrases(request, logits);
}

bool TokenChooser::ends_generation(const Request& request, TokenId token) const {
  const auto& stops = request.spec.params.stop_tokens;
  return (!request.spec.params.ignore_eos && vocab_->is_end_of_generation(token)) ||
         std::ranges::find(stops, token) != stops.end();
}

void TokenChooser::forbid_ends(const Request& request, std::span<float> logits) const {
  const auto forbid = [&](TokenId token) {
    if (token >= 0 && static_cast<std::size_t>(token) < logits.size())
      logits[static_cast<std::size_t>(token)] = kForbidden;
  };
  if (!request.spec.params.ignore_eos) std::ranges::for_each(end_tokens_, forbid);
  std::ranges::for_each(request.spec.params.stop_tokens, forbid);
}

}  // namespace infernode
