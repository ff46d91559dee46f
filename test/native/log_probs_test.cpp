// Log-probabilities against the textbook: a softmax in double precision and a
// full sort.
#include "core/sampling/log_probs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "check.h"

using namespace infernode;

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

std::vector<double> textbook(const std::vector<float>& row) {
  const double maximum = static_cast<double>(*std::ranges::max_element(row));
  double total = 0;
  for (const float logit : row) total += std::exp(double{logit} - maximum);
  std::vector<double> values;
  for (const float logit : row) values.push_back(double{logit} - maximum - std::log(total));
  return values;
}

void compare(const std::vector<float>& row, std::int32_t top) {
  SamplerScratch scratch;
  const std::vector<double> expected = textbook(row);
  std::vector<TokenId> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](TokenId token) { return row[static_cast<std::size_t>(token)]; });
  const TokenId chosen = order[row.size() / 3];
  const LogProbs probs = log_probs_of(row, chosen, top, scratch);
  CHECK_EQ(probs.chosen.token, chosen);
  const auto near = [&](const TokenLogProb& entry) {
    const double right = expected[static_cast<std::size_t>(entry.token)];
    if (std::isinf(right)) return std::isinf(entry.log_prob);
    return std::abs(double{entry.log_prob} - right) <= 1e-5 * (1 + std::abs(right));
  };
  CHECK(near(probs.chosen));
  CHECK_EQ(probs.top.size(), std::min(row.size(), static_cast<std::size_t>(top)));
  for (std::size_t i = 0; i < probs.top.size(); ++i) {
    CHECK_EQ(probs.top[i].token, order[i]);
    CHECK(near(probs.top[i]));
  }
}

}  // namespace

TEST("the chosen token's and the likeliest ones' log-probabilities are the softmax's") {
  std::mt19937 random(3);
  for (const std::size_t size : {1u, 5u, 63u, 64u, 65u, 1000u, 32003u}) {
    for (const std::int32_t top : {0, 1, 5, 20}) {
      std::normal_distribution<float> normal(0, 4);
      std::vector<float> row(size);
      for (float& logit : row) logit = normal(random);
      compare(row, top);
    }
  }
}

TEST("equal and forbidden logits are reported unchanged, the lowest token first") {
  compare(std::vector<float>(300, 2.5f), 20);
  std::vector<float> row(200, kNever);
  row[150] = 3;
  row[199] = 1;
  compare(row, 5);
}
