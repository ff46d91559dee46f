#include "speculation.h"

#include <algorithm>
#include <utility>

#include "core/running_mean.h"

namespace infernode {

namespace {

constexpr double kLeastGain = 1.1;  // expected gain that justifies a draft
constexpr double kLeastPrice = 0.005;
constexpr double kFading =
    0.002;  // how fast a measured price returns to the assumed one, per ordinary pass
constexpr double kLearningRate = 0.12;  // of the latest comparison in a rate
constexpr double kProbingShare =
    0.01;  // of the time of ordinary passes may be spent on trying the draft model
constexpr double kMostCredit = 100;  // ordinary passes
constexpr double kFirstCredit = 6;   // ordinary passes, once, so that the first trial comes soon

}  // namespace

void Draft::learn(bool hit, std::size_t index) {
  const std::size_t at = kind(index);
  rates[at] += kLearningRate * ((hit ? 1.0 : 0.0) - rates[at]);
  // A longer match is never less likely to be right.
  for (std::size_t more = at + 1; at > 0 && more <= kMostMatched; ++more)
    rates[more] = std::max(rates[more], rates[at]);
  for (std::size_t less = 1; less < at; ++less) rates[less] = std::min(rates[less], rates[at]);
}

std::optional<bool> Draft::verify(std::size_t index, TokenId token) {
  if (index != accepted || index >= tokens.size()) return std::nullopt;
  const bool hit = tokens[index] == token;
  learn(hit, index);
  accepted += hit ? 1 : 0;
  return hit;
}

double Draft::expected(std::size_t most) const {
  double sum = 1;
  double all_so_far = 1;
  for (std::size_t i = 0; i < most; ++i) {
    all_so_far *= rates[kind(i)];
    sum += all_so_far;
  }
  return sum;
}

// Expected tokens per millisecond, relative to an ordinary pass.
double Speculation::gain(std::span<const DraftState* const> requests, std::size_t length,
                         const std::optional<DraftCost>& model) const {
  const auto count = static_cast<double>(requests.size());
  const double plain = plain_ms_[requests.size()];
  double tokens = 0;
  for (const DraftState* request : requests) {
    const Draft& lookup = request->by_lookup;
    tokens += model && request->model_is_better(length)
                  ? request->by_model.expected(length)
                  : lookup.expected(std::min(length, lookup.tokens.size()));
  }
  tokens /= count;
  double ms = plain * (1 + row_price_ * count * static_cast<double>(length));
  if (model) ms += model->pass_ms * static_cast<double>(length) + model->reading_ms * tokens;
  return tokens * plain / ms;
}

DraftPlan Speculation::plan(std::span<const DraftState* const> requests,
                            const std::optional<DraftCost>& model) const {
  if (requests.empty() || requests.size() > kMostSpeculating) return {};
  if (always_ > 0 && model) return {always_, true};
  if (plain_ms_[requests.size()] <= 0) return {};
  DraftPlan best;
  double best_gain = kLeastGain;
  const auto consider = [&](std::size_t length, const std::optional<DraftCost>& cost) {
    const double expected = gain(requests, length, cost);
    if (expected <= best_gain) return;
    best = {length, cost.has_value()};
    best_gain = expected;
  };
  for (std::size_t length = 1; length <= kMostDrafted; ++length) {
    consider(length, std::nullopt);
    if (model) consider(length, model);
  }
  return best;
}

void Speculation::measured_plain(std::size_t requests, double ms) {
  if (requests <= kMostSpeculating) {
    if (!std::exchange(credited_, true)) credit_ms_ = kFirstCredit * ms;
    blend(plain_ms_[requests], ms);
    credit_ms_ = std::min(credit_ms_ + kProbingShare * ms, kMostCredit * plain_ms_[requests]);
  }
  // Old measurements fade, so that a draft is tried again.
  row_price_ += kFading * (kAssumedPrice - row_price_);
}

void Speculation::measured_drafted(std::size_t requests, std::size_t rows, double ms) {
  const double plain = plain_ms_[requests];
  const double extra = static_cast<double>(requests) * static_cast<double>(rows - 1);
  if (plain <= 0 || extra <= 0) return;
  const double price = std::clamp((ms - plain) / (extra * plain), kLeastPrice, 1.0);
  row_price_ += kNewShare * (price - row_price_);
}

}  // namespace infernode
