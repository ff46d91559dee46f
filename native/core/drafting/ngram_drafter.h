// Guesses what comes next from what came before: where the last tokens stood last, the
// same may follow again (prompt lookup). Costs nothing to speak of; right in code,
// quotations, lists and loops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/types.h"

namespace infernode {

// Tokens before a guess that stood before the same token earlier; more say no more.
constexpr std::size_t kMostMatched = 8;

struct Lookup {
  std::vector<TokenId> tokens;
  std::size_t matched = 0;  // 1 to kMostMatched; 0 where nothing was found
};

// A value that belongs to its request. One thread at a time.
class NgramDrafter {
 public:
  // The `most` tokens that may follow `known`, which begins with the tokens of
  // the call before: what followed its last three tokens when they stood last, or its last
  // two, or its last one. Nothing where that never stood before. A passage that reaches its
  // own beginning goes on as a loop.
  Lookup draft(std::span<const TokenId> known, std::size_t most);

 private:
  static constexpr std::size_t kLongest = 3;

  static std::uint64_t key(std::span<const TokenId> tokens);
  // Where the token after the last `length` ones stood last; 0: nowhere.
  std::size_t place(std::span<const TokenId> known, std::size_t length) const;

  std::unordered_map<std::uint64_t, std::uint32_t> followers_;  // where the next token stood
  std::size_t indexed_ = 1;                                     // followers before here are in
};

}  // namespace infernode
