// Runs of computed tokens, shared as far as they are equal: whose state begins
// like this prompt, and for how long? A source is whoever holds such a state
// (a sequence of the cache, a state in host memory); the tree knows it by a
// number and never asks what it is. Matches are compared token by token, so
// two prompts can never be taken for each other.
// Owned by one thread. Match and insert cost the tokens they look at and the
// sources they pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "types.h"

namespace infernode {

class PrefixTree {
 public:
  using Source = std::int64_t;
  static constexpr Source kNone = -1;

  struct Match {
    Source source = kNone;
    std::size_t length = 0;
  };

  // Of the `matching` first tokens of a source, how many are of use; 0: none.
  // More than `matching` where the source has grown since it was put here and
  // still agrees.
  using Usable = std::function<std::size_t(Source, std::size_t matching)>;

  PrefixTree();
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  // The tokens a source holds, in place of those it held before; none removes
  // it.
  void put(Source source, std::span<const TokenId> tokens);
  void remove(Source source) { put(source, {}); }

  // Tokens of a source; 0 when it is not in the tree.
  std::size_t length(Source source) const;
  std::size_t sources() const { return lengths_.size(); }
  // Distinct tokens held: what all sources have in common counts once.
  std::size_t tokens() const { return tokens_; }

  // The source with the longest usable beginning in common with `prompt`.
  Match match(std::span<const TokenId> prompt, const Usable& usable) const;

 private:
  struct Node;

  void insert(Source source, std::span<const TokenId> tokens);
  void erase(Source source);
  Node& split(std::unique_ptr<Node>& node, std::size_t at);

  std::unique_ptr<Node> root_;
  std::map<Source, std::size_t> lengths_;
  std::size_t tokens_ = 0;
};

}  // namespace infernode
