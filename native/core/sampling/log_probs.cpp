#include "log_probs.h"

#include <algorithm>
#include <cmath>

namespace infernode {
namespace {

// Below the k-th largest block maximum nothing can be among the k likeliest.
std::vector<TokenLogProb> likeliest(std::span<const float> raw, std::size_t count,
                                    const SamplerScratch& scratch) {
  std::vector<TokenLogProb> found;
  if (count == 0) return found;
  const auto before = [](const TokenLogProb& a, const TokenLogProb& b) {
    return a.log_prob != b.log_prob ? a.log_prob > b.log_prob : a.token < b.token;
  };
  for (std::size_t block = 0; block < sampler_blocks(raw.size()); ++block) {
    if (found.size() == count && scratch.block_maximum[block] <= found.back().log_prob) continue;
    const std::size_t end = std::min(raw.size(), (block + 1) * kSamplerBlock);
    for (std::size_t i = block * kSamplerBlock; i < end; ++i) {
      const TokenLogProb candidate{static_cast<TokenId>(i), raw[i]};
      if (found.size() == count && !before(candidate, found.back())) continue;
      if (found.size() == count) found.pop_back();
      found.insert(std::ranges::upper_bound(found, candidate, before), candidate);
    }
  }
  return found;
}

}  // namespace

LogProbs log_probs_of(std::span<const float> raw, TokenId chosen, std::int32_t top,
                      SamplerScratch& scratch) {
  scratch.fit(raw.size());
  const SamplerKernels& kernels = best_sampler_kernels();
  const float maximum = kernels.maximum(raw.data(), raw.size(), scratch.block_maximum.data());
  kernels.sum_exp(raw.data(), raw.size(), maximum, 1.0f, scratch.block_sum.data());
  double total = 0;
  for (std::size_t i = 0; i < sampler_blocks(raw.size()); ++i) total += scratch.block_sum[i];
  const double normal = double{maximum} + std::log(total);
  const auto log_prob = [&](float logit) { return static_cast<float>(double{logit} - normal); };
  LogProbs probs;
  probs.top = likeliest(raw, static_cast<std::size_t>(std::max(top, 0)), scratch);
  for (TokenLogProb& entry : probs.top) entry.log_prob = log_prob(entry.log_prob);
  probs.chosen = {chosen, log_prob(raw[static_cast<std::size_t>(chosen)])};
  return probs;
}

PromptLogProb prompt_log_prob_of(std::span<const float> raw, TokenId token, std::int32_t top,
                                 SamplerScratch& scratch) {
  const float logit = raw[static_cast<std::size_t>(token)];
  const auto likelier = std::ranges::count_if(raw, [&](float other) { return other > logit; });
  return {log_probs_of(raw, token, top, scratch), static_cast<std::int32_t>(likelier) + 1};
}

}  // namespace infernode
