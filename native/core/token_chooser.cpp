#include "token_chooser.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace infernode {

TokenChooser::TokenChooser(std::shared_ptr<const Vocab> vocab) : vocab_(std::move(vocab)) {
  for (TokenId token = 0; token < vocab_->size(); ++token) {
    if (vocab_->is_end_of_generation(token)) end_tokens_.push_back(token);
  }
}

TokenChoice TokenChooser::choose(Request& request, std::span<float> logits,
                                 SamplerScratch& scratch) const {
  TokenChoice choice;
  const std::int32_t log_probs = request.params.log_probs;
  if (log_probs >= 0) scratch.raw.assign(logits.begin(), logits.end());
  if (request.generated_tokens() < request.params.min_tokens) forbid_ends(request, logits);
  choice.token = request.sampler.sample(logits, scratch);
  if (choice.token == kNoToken) return choice;
  request.sampler.accept(choice.token);
  choice.ends_generation = ends_generation(request, choice.token);
  if (choice.ends_generation) return choice;
  choice.text = request.text.append(vocab_->piece(choice.token));
  if (log_probs >= 0) {
    choice.log_probs = std::make_shared<const LogProbs>(
        log_probs_of(scratch.raw, choice.token, log_probs, scratch));
  }
  return choice;
}

bool TokenChooser::ends_generation(const Request& request, TokenId token) const {
  const auto& stops = request.params.stop_tokens;
  return (!request.params.ignore_eos && vocab_->is_end_of_generation(token)) ||
         std::ranges::find(stops, token) != stops.end();
}

void TokenChooser::forbid_ends(const Request& request, std::span<float> logits) const {
  const auto forbid = [&](TokenId token) {
    if (token >= 0 && static_cast<std::size_t>(token) < logits.size())
      logits[static_cast<std::size_t>(token)] = -std::numeric_limits<float>::infinity();
  };
  if (!request.params.ignore_eos) std::ranges::for_each(end_tokens_, forbid);
  std::ranges::for_each(request.params.stop_tokens, forbid);
}

}  // namespace infernode
