// A vocabulary in the order of its tokens' bytes, each with how many bytes it
// shares with the one before: what a walk needs to look at every common
// beginning once. Immutable and shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/backend.h"

namespace infernode {

class TokenOrder {
 public:
  struct Entry {
    TokenId token;
    std::uint32_t common;  // bytes it begins with that the entry before begins with too
    std::string_view piece;
  };

  // Leaves out tokens without text and those that end a generation.
  explicit TokenOrder(std::shared_ptr<const Vocab> vocab);

  const std::vector<Entry>& entries() const { return entries_; }
  const Vocab& vocab() const { return *vocab_; }
  std::size_t longest() const { return longest_; }  // bytes of a token at most

 private:
  std::shared_ptr<const Vocab> vocab_;
  std::vector<Entry> entries_;
  std::size_t longest_ = 0;
};

}  // namespace infernode
