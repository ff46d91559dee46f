// The sampler's work space: buffers that grow to the vocabulary once and are
// reused, so that sampling allocates nothing. Their contents are undefined
// between calls. Each thread that samples has its own.
#pragma once

#include <cstddef>
#include <vector>

#include "core/types.h"
#include "sampler_kernels.h"

namespace infernode {

// A candidate of the rarely used filters.
struct ScoredCandidate {
  TokenId token;
  float logit;
  double weight;
};

struct SamplerScratch {
  std::vector<float> block_maximum;  // of the row, one per kSamplerBlock logits
  std::vector<float> block_sum;
  // The candidates, by ascending token. Three arrays, as the kernels want.
  std::vector<TokenId> tokens;
  std::vector<float> logits;
  std::vector<float> weights;
  // The candidates among which keep_mass() looks for its cut.
  std::vector<TokenId> members;  // indices of candidates
  std::vector<float> member_logits;
  std::vector<ScoredCandidate> scored;
  std::vector<float> raw;  // the row as computed, for log-probabilities

  void fit(std::size_t vocabulary_size) {
    const std::size_t candidates = vocabulary_size + kCollectPadding;
    if (tokens.size() >= candidates) return;
    block_maximum.resize(sampler_blocks(vocabulary_size));
    block_sum.resize(sampler_blocks(vocabulary_size));
    logits.resize(candidates);
    weights.resize(candidates);
    members.resize(candidates);
    member_logits.resize(candidates);
    tokens.resize(candidates);  // last: the check above relies on it
  }
};

}  // namespace infernode
