// The DRY penalty ("don't repeat yourself"), as in llama.cpp: if the last L >= allowed_length
// tokens occurred before, the token that followed them then loses multiplier * base^(L -
// allowed_length). No repetition reaches across a sequence breaker.
// Breakers are immutable, any thread; the penalty is a value that belongs to its request, one
// thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "core/types.h"

namespace infernode {

// Token sequences that end a repetition: by their first token, the tokens after it. native/model
// makes them of strings.
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
