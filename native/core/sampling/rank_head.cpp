#include "rank_head.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/types.h"

namespace infernode {

RankHead::RankHead(std::vector<float> weights, std::size_t labels)
    : weights_(std::move(weights)), labels_(labels) {
  INFERNODE_CHECK(labels_ > 0 && weights_.size() % labels_ == 0, "a rank head's rows are uneven");
}

std::vector<float> RankHead::scores(std::span<const float> hidden) const {
  INFERNODE_CHECK(hidden.size() * labels_ == weights_.size(),
                  "a hidden state is not as long as the rank head's rows");
  std::vector<double> sums;
  for (std::size_t label = 0; label < labels_; ++label) {
    const auto row = std::span(weights_).subspan(label * hidden.size(), hidden.size());
    double sum = 0;
    for (std::size_t i = 0; i < hidden.size(); ++i) sum += double{row[i]} * double{hidden[i]};
    sums.push_back(sum);
  }
  const double highest = *std::ranges::max_element(sums);
  double total = 0;
  for (double& sum : sums) total += sum = std::exp(sum - highest);
  std::vector<float> scores;
  for (const double sum : sums) scores.push_back(static_cast<float>(sum / total));
  return scores;
}

}  // namespace infernode
