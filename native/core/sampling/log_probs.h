// The model's own log-probabilities of one row: of the chosen token and of the likeliest ones,
// before the request's penalties, biases and masks are applied to the logits. Pure; any thread,
// with a scratch of its own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/types.h"
#include "sampler_scratch.h"

namespace infernode {

struct TokenLogProb {
  TokenId token;
  float log_prob;  // natural logarithm; -infinity for a token that cannot come
};

struct LogProbs {
  TokenLogProb chosen{kNoToken, 0};
  std::vector<TokenLogProb> top;  // the likeliest first; of equals, the lowest token
};

// Of one prompt token, from the logits of the token before it.
struct PromptLogProb {
  LogProbs probs;
  std::int32_t rank = 0;  // 1: no token is likelier
};

// `raw` is the row as the model computed it, with a finite maximum; `chosen` is
// in it. `top` tokens at most.
LogProbs log_probs_of(std::span<const float> raw, TokenId chosen, std::int32_t top,
                      SamplerScratch& scratch);

// The same with the token's rank. NaN where the row has no finite maximum.
PromptLogProb prompt_log_prob_of(std::span<const float> raw, TokenId token, std::int32_t top,
                                 SamplerScratch& scratch);

}  // namespace infernode
