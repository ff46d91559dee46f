#include "token_order.h"

#include <algorithm>
#include <utility>

namespace infernode {

TokenOrder::TokenOrder(std::shared_ptr<const Vocab> vocab) : vocab_(std::move(vocab)) {
  for (TokenId token = 0; token < vocab_->size(); ++token) {
    const std::string_view piece = vocab_->piece(token);
    if (piece.empty() || vocab_->is_end_of_generation(token)) continue;
    entries_.push_back({token, 0, piece});
    longest_ = std::max(longest_, piece.size());
  }
  std::ranges::stable_sort(entries_, {}, &Entry::piece);
  for (std::size_t i = 1; i < entries_.size(); ++i) {
    const auto differ = std::ranges::mismatch(entries_[i - 1].piece, entries_[i].piece);
    entries_[i].common = static_cast<std::uint32_t>(differ.in2 - entries_[i].piece.begin());
  }
}

}  // namespace infernode
