// The DRY penalty ("don't repeat yourself"): a token that would go on with a
// passage seen before is made less likely, the more the longer the passage.
// Meaning is llama.cpp's: a passage of L >= allowed_length tokens that ends
// here and was followed by a token before costs that token
// multiplier * base^(L - allowed_length). No passage reaches over a sequence
// breaker.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "core/types.h"

namespace infernode {

// Token sequences over which no passage is followed: by their first token, what
// must come after it. Made of strings by whoever knows the vocabulary.
class DryBreakers {
 public:
  void add(TokenId head, std::vector<TokenId> tail);
  // Tokens after the breaker that begins with `tokens[0]`, the longest of
  // several; -1: none does.
  std::int32_t tail_at(std::span<const TokenId> tokens) const;
  // The token alone is a breaker.
  [[nodiscard]] bool breaks(TokenId token) const;

 private:
  std::multimap<TokenId, std::vector<TokenId>> tails_;
};

// A value that belongs to its request. One thread at a time.
class DryPenalty {
 public:
  explicit DryPenalty(const SamplingParams& params);

  [[nodiscard]] bool active() const { return multiplier_ > 0 && window_ > 0; }
  void prime(std::span<const TokenId> known);
  void accept(TokenId token);
  void apply(std::span<float> logits) const;

 private:
  std::size_t unbroken(std::span<const TokenId> tokens) const;
  float cost(std::size_t length) const;

  float multiplier_;
  float base_;
  std::size_t allowed_;
  std::size_t window_;  // tokens looked at; 0: off
  std::shared_ptr<const DryBreakers> breakers_;
  std::vector<TokenId> known_;
};

}  // namespace infernode
