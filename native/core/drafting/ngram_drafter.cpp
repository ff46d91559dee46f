#include "ngram_drafter.h"

#include <algorithm>

namespace infernode {

std::uint64_t NgramDrafter::key(std::span<const TokenId> tokens) {
  std::uint64_t hash = 0xcbf29ce484222325ULL + tokens.size();
  for (const TokenId token : tokens)
    hash = (hash ^ static_cast<std::uint32_t>(token)) * 0x9e3779b97f4a7c15ULL;
  return hash;
}

std::size_t NgramDrafter::place(std::span<const TokenId> known, std::size_t length) const {
  if (known.size() <= length) return 0;
  const auto end = known.last(length);
  const auto found = followers_.find(key(end));
  if (found == followers_.end()) return 0;
  const auto same = known.subspan(found->second - length, length);
  return std::ranges::equal(same, end) ? found->second : 0;
}

Lookup NgramDrafter::draft(std::span<const TokenId> known, std::size_t most) {
  for (; indexed_ < known.size(); ++indexed_) {
    for (std::size_t length = 1; length <= std::min(kLongest, indexed_); ++length) {
      followers_[key(known.subspan(indexed_ - length, length))] =
          static_cast<std::uint32_t>(indexed_);
    }
  }
  std::size_t length = kLongest;
  std::size_t from = place(known, length);
  while (from == 0 && --length > 0) from = place(known, length);
  Lookup found;
  if (from == 0) return found;
  const std::size_t end = known.size();
  while (length < std::min(kMostMatched, from) &&
         known[from - length - 1] == known[end - length - 1])
    ++length;
  found.matched = length;
  for (std::size_t i = 0; i < most; ++i) {
    const std::size_t at = from + i;
    found.tokens.push_back(at < end ? known[at] : found.tokens[at - end]);
  }
  return found;
}

}  // namespace infernode
