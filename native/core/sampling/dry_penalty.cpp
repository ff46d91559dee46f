// The text is read from its end: how long the passage `k` tokens back agrees
// with the one that ends here is the Z-function of the reversed text, found in
// one pass over the window.
#include "dry_penalty.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <utility>

namespace infernode {
namespace {

// [k]: how many tokens up to the end equal those up to k tokens before it.
std::vector<std::size_t> agreements(std::span<const TokenId> text) {
  const std::size_t size = text.size();
  const auto back = [&](std::size_t i) { return text[size - 1 - i]; };
  std::vector<std::size_t> agreement(size, 0);
  std::size_t left = 0;
  std::size_t right = 0;  // the agreement that reaches furthest is [left, right)
  for (std::size_t k = 1; k < size; ++k) {
    std::size_t length = k < right ? std::min(right - k, agreement[k - left]) : 0;
    while (k + length < size && back(length) == back(k + length)) ++length;
    agreement[k] = length;
    if (k + length <= right) continue;
    left = k;
    right = k + length;
  }
  return agreement;
}

}  // namespace

void DryBreakers::add(TokenId head, std::vector<TokenId> tail) {
  const auto [first, last] = tails_.equal_range(head);
  const bool there =
      std::any_of(first, last, [&](const auto& entry) { return entry.second == tail; });
  if (!there) tails_.emplace(head, std::move(tail));
}

std::int32_t DryBreakers::tail_at(std::span<const TokenId> tokens) const {
  std::int32_t longest = -1;
  const auto [first, last] = tails_.equal_range(tokens.front());
  const std::span<const TokenId> after = tokens.subspan(1);
  for (auto it = first; it != last; ++it) {
    const std::vector<TokenId>& tail = it->second;
    if (tail.size() > after.size() || !std::ranges::equal(tail, after.first(tail.size()))) continue;
    longest = std::max(longest, static_cast<std::int32_t>(tail.size()));
  }
  return longest;
}

bool DryBreakers::breaks(TokenId token) const {
  const auto [first, last] = tails_.equal_range(token);
  return std::any_of(first, last, [](const auto& entry) { return entry.second.empty(); });
}

DryPenalty::DryPenalty(const SamplingParams& params)
    : multiplier_(params.dry_multiplier),
      base_(params.dry_base),
      allowed_(static_cast<std::size_t>(std::max(params.dry_allowed_length, 0))),
      window_(params.dry_window < 0 ? std::numeric_limits<std::size_t>::max()
                                    : static_cast<std::size_t>(params.dry_window)),
      breakers_(params.dry_breakers) {}

void DryPenalty::prime(std::span<const TokenId> known) {
  if (active()) known_.assign(known.begin(), known.end());
}

void DryPenalty::accept(TokenId token) {
  if (active()) known_.push_back(token);
}

// Tokens after the last breaker: no passage is longer.
std::size_t DryPenalty::unbroken(std::span<const TokenId> tokens) const {
  if (breakers_ == nullptr) return tokens.size();
  for (std::size_t back = 0; back < tokens.size(); ++back) {
    const std::int32_t tail = breakers_->tail_at(tokens.last(back + 1));
    if (tail >= 0) return back - static_cast<std::size_t>(tail);
  }
  return tokens.size();
}

// Clamped where the power would leave the range of a float.
float DryPenalty::cost(std::size_t length) const {
  auto exponent = static_cast<float>(length - allowed_);
  constexpr float kNearlyOne = 1.000001f;
  if (base_ > kNearlyOne) {
    const float most = std::log(std::numeric_limits<float>::max()) / std::log(base_);
    exponent = std::min(exponent, std::floor(most));
  }
  return multiplier_ * std::pow(base_, exponent);
}

void DryPenalty::apply(std::span<float> logits) const {
  if (!active()) return;
  const std::span<const TokenId> text = std::span(known_).last(std::min(known_.size(), window_));
  if (text.size() <= allowed_) return;
  const std::size_t longest = unbroken(text);
  if (longest < allowed_) return;
  std::unordered_map<TokenId, std::size_t> repeats;  // by the token that would follow
  const std::vector<std::size_t> agreement = agreements(text);
  for (std::size_t k = 1; k < text.size(); ++k) {
    const std::size_t length = std::min(agreement[k], longest);
    if (length < allowed_) continue;
    std::size_t& known = repeats[text[text.size() - k]];
    known = std::max(known, length);
  }
  for (const auto& [token, length] : repeats) {
    if (token < 0 || static_cast<std::size_t>(token) >= logits.size()) continue;
    if (breakers_ != nullptr && breakers_->breaks(token)) continue;
    logits[static_cast<std::size_t>(token)] -= cost(length);
  }
}

}  // namespace infernode
