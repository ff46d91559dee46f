// Drafts tokens by prompt lookup: finds the last occurrence of the latest tokens in the request's
// own text and proposes the tokens that followed. Nearly free; often right in code, quotations,
// lists and loops.
// A value that belongs to its request. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/types.h"

namespace infernode {

// Longest match that is distinguished: a longer one makes the draft no surer.
constexpr std::size_t kMostMatched = 8;

struct Lookup {
  std::vector<TokenId> tokens;
  std::size_t matched = 0;  // length of the match, 1 to kMostMatched; 0: none
};

class NgramDrafter {
 public:
  // `most` tokens that may follow `known`, which begins with the tokens of the last call: those
  // after the last occurrence of its last three tokens, else two, else one; empty where there is
  // none. A passage that reaches its own beginning is repeated.
  Lookup draft(std::span<const TokenId> known, std::size_t most);

 private:
  static constexpr std::size_t kLongest = 3;

  static std::uint64_t key(std::span<const TokenId> tokens);
  // Where the last occurrence of the latest `length` tokens ends; 0: there is none.
  std::size_t place(std::span<const TokenId> known, std::size_t length) const;

  std::unordered_map<std::uint64_t, std::uint32_t> followers_;  // where the next token stood
  std::size_t indexed_ = 1;                                     // followers before here are in
};

}  // namespace infernode
