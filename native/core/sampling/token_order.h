// A vocabulary sorted by its tokens' bytes, with the number of bytes that each token shares with
// the one before, so that a walk looks at each common prefix once. Immutable and shared; any
// thread.
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
    std::uint32_t common;  // length of the prefix shared with the entry before
    std::string_view piece;
  };

  // Without tokens that have no text and end-of-generation tokens.
  explicit TokenOrder(std::shared_ptr<const Vocab> vocab);

  const std::vector<Entry>& entries() const { return entries_; }
  const Vocab& vocab() const { return *vocab_; }
  std::size_t longest() const { return longest_; }  // bytes of the longest token

 private:
  std::shared_ptr<const Vocab> vocab_;
  std::vector<Entry> entries_;
  std::size_t longest_ = 0;
};

}  // namespace infernode
