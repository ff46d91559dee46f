// A prefix tree per salt, so that tenants with different salts share nothing and cannot learn
// anything of each other from a cache hit. Each source is in one tree. Owned by one thread.
#pragma once

#include <map>
#include <span>
#include <string>

#include "prefix_tree.h"

namespace infernode {

class PrefixForest {
 public:
  void put(PrefixTree::Source source, const std::string& salt, std::span<const TokenId> tokens) {
    remove(source);
    if (tokens.empty()) return;
    trees_[salt].put(source, tokens);
    salts_[source] = salt;
  }

  void remove(PrefixTree::Source source) {
    const auto found = salts_.find(source);
    if (found == salts_.end()) return;
    const auto tree = trees_.find(found->second);
    tree->second.remove(source);
    if (tree->second.sources() == 0) trees_.erase(tree);
    salts_.erase(found);
  }

  std::size_t length(PrefixTree::Source source) const {
    const auto found = salts_.find(source);
    return found == salts_.end() ? 0 : trees_.at(found->second).length(source);
  }

  // Whether exactly these are the tokens of a source, under this salt. Allocates nothing.
  [[nodiscard]] bool has(PrefixTree::Source source, const std::string& salt,
                         std::span<const TokenId> tokens) const {
    const auto found = salts_.find(source);
    if (found == salts_.end()) return tokens.empty();
    return found->second == salt && trees_.at(salt).has(source, tokens);
  }

  PrefixTree::Match match(std::span<const TokenId> prompt, const std::string& salt,
                          const PrefixTree::Usable& usable) const {
    const auto tree = trees_.find(salt);
    return tree == trees_.end() ? PrefixTree::Match{} : tree->second.match(prompt, usable);
  }

 private:
  std::map<std::string, PrefixTree> trees_;
  std::map<PrefixTree::Source, std::string> salts_;
};

}  // namespace infernode
