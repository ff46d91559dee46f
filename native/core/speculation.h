// Whether guessing ahead pays, and how far: several tokens of a request
// computed in one pass, of which those are kept that the request would have
// drawn anyway. Decides by what was measured: the price of a pass and of a
// row, and how often each request's guesses came true. Guesses are judged
// also when none are computed, so that nothing is spent on finding out.
// Engine thread only.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "ngram_drafter.h"

namespace infernode {

constexpr std::size_t kMostSpeculating = 4;  // requests in a pass; wider ones fill the device
constexpr std::size_t kMostDrafted = 15;     // tokens per request

// One request's side of it.
struct Guesser {
  NgramDrafter drafter;
  std::vector<TokenId> drafted;  // of this step
  double hit_rate = 0.5;         // of guesses judged, a running mean
  void judge(bool hit) { hit_rate += 0.12 * ((hit ? 1.0 : 0.0) - hit_rate); }
};

class Speculation {
 public:
  static constexpr double kGuessedPrice = 0.1;  // until measured

  // Tokens to draft for each of these requests, one number for all, since a
  // pass has equal rows for everybody; 0: better one token at a time.
  std::size_t length(std::span<const Guesser* const> requests) const;

  // A pass of one row for each of so many requests took this long.
  void measured_plain(std::size_t requests, double ms);
  // A pass of so many rows for each.
  void measured_drafted(std::size_t requests, std::size_t rows, double ms);

 private:
  std::array<double, kMostSpeculating + 1> plain_ms_{};  // by requests; 0: not known
  double row_price_ = kGuessedPrice;  // of each row beyond the first, in ordinary passes
};

}  // namespace infernode
