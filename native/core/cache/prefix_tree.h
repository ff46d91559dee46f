// A radix tree over computed tokens: finds the source with the longest prefix in common with a
// prompt. A source is anything with a state of computed tokens (a sequence of the KV cache, an
// entry of host memory); the tree knows it by a number only. Tokens are compared one by one and
// nothing is hashed, so two prompts are never mistaken for each other.
// Owned by one thread. Match and insert cost the tokens they look at and the sources they pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "core/types.h"

namespace infernode {

class PrefixTree {
 public:
  using Source = std::int64_t;
  static constexpr Source kNone = -1;

  struct Match {
    Source source = kNone;
    std::size_t length = 0;
  };

  // How many of a source's tokens can be used, of which the first `matching` equal the prompt's;
  // 0: none. More than `matching` where the source has grown since it was put here and its newer
  // tokens equal the prompt's, too.
  using Usable = std::function<std::size_t(Source, std::size_t matching)>;

  PrefixTree();
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  // Sets the tokens of a source, which replace earlier ones; no tokens remove it.
  void put(Source source, std::span<const TokenId> tokens);
  void remove(Source source) { put(source, {}); }

  // Tokens of a source; 0 when it is not in the tree.
  std::size_t length(Source source) const;
  std::size_t sources() const { return lengths_.size(); }
  // Whether exactly these are the tokens of a source. Allocates nothing.
  [[nodiscard]] bool has(Source source, std::span<const TokenId> tokens) const;
  // Distinct tokens: a beginning that several sources have in common counts once. For tests, which
  // show by it that no node outlives its sources.
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
