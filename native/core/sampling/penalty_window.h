// How often each token occurs in one request, for its repeat, frequency and
// presence penalties. The repeat penalty sees the prompt and the generated
// tokens; frequency and presence see the generated tokens alone, as OpenAI's and
// vLLM's do. A window limits all three to the last tokens of both together.
// Counts are a flat list sorted by token: a few kilobytes that copy with the
// request, instead of a table as large as the vocabulary.
// A value that belongs to its request. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/types.h"

namespace infernode {

class PenaltyWindow {
 public:
  // With a window of 0 or neutral penalties it remembers nothing.
  explicit PenaltyWindow(const SamplingParams& params);

  // Forgets everything, then counts the last penalty_window tokens of a prompt.
  void prime(std::span<const TokenId> prompt);

  // Counts a generated token.
  void accept(TokenId token);

  // Each logit of a token in the window is divided by the repeat penalty when
  // positive, else multiplied. If the token was generated, its logit is then
  // lowered by its generated count * frequency + presence.
  void apply(std::span<float> logits) const;

 private:
  struct Count {
    TokenId token;
    std::int32_t prompt;
    std::int32_t generated;
  };

  void drop_oldest();

  float repeat_;
  float frequency_;
  float presence_;
  bool active_;
  std::size_t window_;           // tokens at most; 0: all
  std::vector<TokenId> recent_;  // a ring once full; unused when window_ is 0
  std::size_t oldest_ = 0;       // its oldest entry once full
  std::size_t prompt_left_ = 0;  // prompt tokens in the ring: its oldest entries
  std::vector<Count> counts_;    // by ascending token
};

}  // namespace infernode
