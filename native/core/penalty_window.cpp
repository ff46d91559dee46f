// Counting of a request's last tokens; the meaning of the penalties is
// llama.cpp's: each distinct token is penalised once, by its count.
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

void PenaltyWindow::prime(std::span<const TokenId> known) {
  if (!active_) return;
  if (window_ != 0 && known.size() > window_) known = known.last(window_);
  oldest_ = 0;
  counts_.clear();
  recent_.assign(known.begin(), known.end());
  std::sort(recent_.begin(), recent_.end());
  for (const TokenId token : recent_) {
    if (!counts_.empty() && counts_.back().token == token) {
      ++counts_.back().count;
    } else {
      counts_.push_back({token, 1});
    }
  }
  if (window_ == 0) known = {};
  recent_.assign(known.begin(), known.end());
}

void PenaltyWindow::accept(TokenId token) {
  if (!active_) return;
  add(token);
  if (window_ == 0) return;
  if (recent_.size() < window_) {
    recent_.push_back(token);
    return;
  }
  remove(recent_[oldest_]);
  recent_[oldest_] = token;
  oldest_ = oldest_ + 1 == window_ ? 0 : oldest_ + 1;
}

void PenaltyWindow::apply(std::span<float> logits) const {
  for (const Count& entry : counts_) {
    const auto index = static_cast<std::size_t>(entry.token);
    if (entry.token < 0 || index >= logits.size()) continue;
    float& logit = logits[index];
    logit = logit > 0 ? logit / repeat_ : logit * repeat_;
    logit -= static_cast<float>(entry.count) * frequency_ + presence_;
  }
}

void PenaltyWindow::add(TokenId token) {
  const auto place = std::ranges::lower_bound(counts_, token, {}, &Count::token);
  if (place != counts_.end() && place->token == token) {
    ++place->count;
  } else {
    counts_.insert(place, {token, 1});
  }
}

void PenaltyWindow::remove(TokenId token) {
  const auto place = std::ranges::lower_bound(counts_, token, {}, &Count::token);
  if (--place->count == 0) counts_.erase(place);
}

}  // namespace infernode
