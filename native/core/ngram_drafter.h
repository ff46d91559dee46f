// Guesses what comes next from what came before: where the last three tokens
// stood last, the same tokens may follow again (prompt lookup). Costs nothing to
// speak of; right in code, quotations, lists and loops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "types.h"

namespace infernode {

// A value that belongs to its request. One thread at a time.
class NgramDrafter {
 public:
  // The `most` tokens that may follow `known`, which begins with the tokens of
  // the call before; empty where its end never stood before. A passage that
  // reaches its own beginning goes on as a loop.
  std::vector<TokenId> draft(std::span<const TokenId> known, std::size_t most);

 private:
  static constexpr std::size_t kLength = 3;

  static std::uint64_t key(std::span<const TokenId> three);

  std::unordered_map<std::uint64_t, std::uint32_t> followers_;  // where the next token stood
  std::size_t indexed_ = kLength;                               // followers before here are in
};

}  // namespace infernode
