// The prefix tree against a list of token vectors that is searched one by one.
#include "core/cache/prefix_tree.h"

#include <algorithm>
#include <map>
#include <random>

#include "check.h"

using namespace infernode;

namespace {

using Tokens = std::vector<TokenId>;

std::size_t in_common(const Tokens& a, const Tokens& b) {
  std::size_t length = 0;
  while (length < a.size() && length < b.size() && a[length] == b[length]) ++length;
  return length;
}

std::size_t distinct_tokens(const std::map<PrefixTree::Source, Tokens>& held) {
  std::vector<Tokens> sorted;
  for (const auto& [source, tokens] : held) sorted.push_back(tokens);
  std::sort(sorted.begin(), sorted.end());
  std::size_t distinct = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    distinct += sorted[i].size() - (i == 0 ? 0 : in_common(sorted[i - 1], sorted[i]));
  }
  return distinct;
}

const auto all = [](PrefixTree::Source, std::size_t matching) { return matching; };

}  // namespace

TEST("the longest usable beginning wins, whatever its source") {
  PrefixTree tree;
  tree.put(1, Tokens{1, 2, 3, 4});
  tree.put(2, Tokens{1, 2, 3, 9, 9});
  CHECK_EQ(tree.match(Tokens{1, 2, 3, 9, 8}, all).source, 2);
  CHECK_EQ(tree.match(Tokens{1, 2, 3, 9, 8}, all).length, 4u);
  const auto not_two = [](PrefixTree::Source source, std::size_t matching) {
    return source == 2 ? 0 : matching;
  };
  CHECK_EQ(tree.match(Tokens{1, 2, 3, 9, 8}, not_two).source, 1);
  CHECK_EQ(tree.match(Tokens{1, 2, 3, 9, 8}, not_two).length, 3u);
  CHECK_EQ(tree.match(Tokens{2, 2}, all).source, PrefixTree::kNone);
  CHECK_EQ(tree.tokens(), 6u);
}

TEST("a source put again holds its new tokens only; removed, it holds none") {
  PrefixTree tree;
  tree.put(1, Tokens{1, 2, 3});
  tree.put(1, Tokens{1, 5});
  CHECK_EQ(tree.match(Tokens{1, 2, 3}, all).length, 1u);
  CHECK_EQ(tree.length(1), 2u);
  tree.remove(1);
  CHECK_EQ(tree.match(Tokens{1, 5}, all).source, PrefixTree::kNone);
  CHECK_EQ(tree.sources(), 0u);
  CHECK_EQ(tree.tokens(), 0u);
}

TEST("100,000 random operations agree with a plain list") {
  std::mt19937_64 random(7);
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  PrefixTree tree;
  std::map<PrefixTree::Source, Tokens> list;
  const auto random_tokens = [&] {
    Tokens tokens;
    for (std::uint64_t i = below(14); i > 0; --i) tokens.push_back(static_cast<TokenId>(below(3)));
    return tokens;
  };
  for (int i = 0; i < 100000; ++i) {
    const auto source = static_cast<PrefixTree::Source>(below(24));
    if (below(3) == 0) {
      const Tokens tokens = random_tokens();
      tree.put(source, tokens);
      list.erase(source);
      if (!tokens.empty()) list[source] = tokens;
    } else {
      const Tokens prompt = random_tokens();
      const std::size_t cap = below(14);  // odd sources have less to give
      const auto usable = [&](PrefixTree::Source of, std::size_t matching) {
        return of % 2 ? std::min(matching, cap) : matching;
      };
      std::size_t best = 0;
      for (const auto& [of, tokens] : list)
        best = std::max(best, usable(of, in_common(tokens, prompt)));
      const PrefixTree::Match match = tree.match(prompt, usable);
      CHECK_EQ(match.length, best);
      CHECK_EQ(match.source == PrefixTree::kNone, best == 0);
      if (best > 0) CHECK(in_common(list.at(match.source), prompt) >= best);
    }
    if (i % 50 == 0) CHECK_EQ(tree.tokens(), distinct_tokens(list));
  }
}
