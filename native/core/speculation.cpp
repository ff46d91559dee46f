#include "speculation.h"

#include <algorithm>

namespace infernode {

namespace {

constexpr double kLeastGain = 1.1;  // expected, to be worth the risk
constexpr double kLeastPrice = 0.005;
constexpr double kForgotten = 0.002;  // of the difference to a guess, per ordinary pass
constexpr double kNewShare = 0.2;     // of the latest measure in a running mean

void blend(double& mean, double sample) {
  mean = mean <= 0 ? sample : mean + kNewShare * (sample - mean);
}

// Tokens a request gains by `length` drafted ones.
double expected_tokens(const Guesser& request, std::size_t length) {
  double sum = 1;
  double all_so_far = 1;
  for (std::size_t i = 0; i < std::min(length, request.drafted.size()); ++i) {
    all_so_far *= request.hit_rate;
    sum += all_so_far;
  }
  return sum;
}

}  // namespace

std::size_t Speculation::length(std::span<const Guesser* const> requests) const {
  if (requests.empty() || requests.size() > kMostSpeculating) return 0;
  const double plain = plain_ms_[requests.size()];
  if (plain <= 0) return 0;
  const auto count = static_cast<double>(requests.size());
  const double row = row_price_ * plain;
  std::size_t best = 0;
  double best_gain = kLeastGain;
  for (std::size_t length = 1; length <= kMostDrafted; ++length) {
    double tokens = 0;
    for (const Guesser* request : requests) tokens += expected_tokens(*request, length);
    const double ms = plain + row * count * static_cast<double>(length);
    const double gain = tokens / count * plain / ms;
    if (gain <= best_gain) continue;
    best = length;
    best_gain = gain;
  }
  return best;
}

void Speculation::measured_plain(std::size_t requests, double ms) {
  if (requests <= kMostSpeculating) blend(plain_ms_[requests], ms);
  // What was measured long ago is forgotten, so that it is tried again.
  row_price_ += kForgotten * (kGuessedPrice - row_price_);
}

void Speculation::measured_drafted(std::size_t requests, std::size_t rows, double ms) {
  const double plain = plain_ms_[requests];
  const double extra = static_cast<double>(requests) * static_cast<double>(rows - 1);
  if (plain <= 0 || extra <= 0) return;
  const double price = std::clamp((ms - plain) / (extra * plain), kLeastPrice, 1.0);
  row_price_ += kNewShare * (price - row_price_);
}

}  // namespace infernode
