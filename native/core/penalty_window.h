// The last tokens of one request and how often each occurs: what the repeat,
// frequency and presence penalties act on.
// Counts are a flat list sorted by token: a few kilobytes that copy with the
// request, instead of a table as large as the vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "types.h"

namespace infernode {

// A value that belongs to its request. One thread at a time.
class PenaltyWindow {
 public:
  // With a window of 0 or neutral penalties it remembers nothing.
  explicit PenaltyWindow(const SamplingParams& params);

  // Forgets everything, then takes the last penalty_window of these tokens.
  void prime(std::span<const TokenId> known);

  void accept(TokenId token);

  // Each logit of a token in the window: divided by the repeat penalty when
  // positive, else multiplied; then less count * frequency + presence.
  void apply(std::span<float> logits) const;

 private:
  struct Count {
    TokenId token;
    std::int32_t count;
  };

  void add(TokenId token);
  void remove(TokenId token);

  float repeat_;
  float frequency_;
  float presence_;
  bool active_;
  std::size_t window_;           // tokens at most; 0: all
  std::vector<TokenId> recent_;  // a ring once full; unused when window_ is 0
  std::size_t oldest_ = 0;       // its oldest entry once full
  std::vector<Count> counts_;    // by ascending token
};

}  // namespace infernode
