// What makes scores of a hidden state: a row of weights for each label, then a
// softmax over the labels. Rerankers have one in place of an answer's text.
// Immutable; any thread may use it.
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
