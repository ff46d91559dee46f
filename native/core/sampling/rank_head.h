// The classifier of a reranker: turns a hidden state into scores by a row of weights for each label
// and a softmax over the labels. Immutable; any thread may use it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace infernode {

class RankHead {
 public:
  // `weights`: row after row, one row per label, of equal lengths.
  RankHead(std::vector<float> weights, std::size_t labels);

  // One per label, summing to 1. `hidden` is as long as a row.
  std::vector<float> scores(std::span<const float> hidden) const;

 private:
  std::vector<float> weights_;
  std::size_t labels_;
};

}  // namespace infernode
