// Counting of a request's tokens. Each distinct token is penalised once per row;
// the formulas are llama.cpp's, which tokens they see is vLLM's definition.
#include "penalty_window.h"

#include <algorithm>

namespace infernode {

PenaltyWindow::PenaltyWindow(const SamplingParams& params)
    : repeat_(params.repeat_penalty),
      frequency_(params.frequency_penalty),
      presence_(params.presence_penalty),
      active_(params.penalty_window != 0 &&
              (repeat_ != 1.0f || frequency_ != 0.0f || presence_ != 0.0f)),
      window_(params.penalty_window > 0 ? static_cast<std::size_t>(params.penalty_window) : 0) {}

void PenaltyWindow::prime(std::span<const TokenId> prompt) {
  if (!active_) return;
  if (window_ != 0 && prompt.size() > window_) prompt = prompt.last(window_);
  oldest_ = 0;
  counts_.clear();
  recent_.assign(prompt.begin(), prompt.end());
  std::sort(recent_.begin(), recent_.end());
  for (const TokenId token : recent_) {
    if (!counts_.empty() && counts_.back().token == token) {
      ++counts_.back().prompt;
    } else {
      counts_.push_back({token, 1, 0});
    }
  }
  if (window_ == 0) prompt = {};
  recent_.assign(prompt.begin(), prompt.end());
  prompt_left_ = recent_.size();
}

void PenaltyWindow::accept(TokenId token) {
  if (!active_) return;
  auto place = std::ranges::lower_bound(counts_, token, {}, &Count::token);
  if (place == counts_.end() || place->token != token) place = counts_.insert(place, {token, 0, 0});
  ++place->generated;
  if (window_ == 0) return;
  if (recent_.size() < window_) {
    recent_.push_back(token);
    return;
  }
  drop_oldest();
  recent_[oldest_] = token;
  oldest_ = oldest_ + 1 == window_ ? 0 : oldest_ + 1;
}

void PenaltyWindow::apply(std::span<float> logits) const {
  for (const Count& entry : counts_) {
    const auto index = static_cast<std::size_t>(entry.token);
    if (entry.token < 0 || index >= logits.size()) continue;
    float& logit = logits[index];
    logit = logit > 0 ? logit / repeat_ : logit * repeat_;
    if (entry.generated > 0) {
      logit -= static_cast<float>(entry.generated) * frequency_ + presence_;
    }
  }
}

void PenaltyWindow::drop_oldest() {
  const auto place = std::ranges::lower_bound(counts_, recent_[oldest_], {}, &Count::token);
  if (prompt_left_ > 0) {
    --prompt_left_;
    --place->prompt;
  } else {
    --place->generated;
  }
  if (place->prompt + place->generated == 0) counts_.erase(place);
}

}  // namespace infernode
