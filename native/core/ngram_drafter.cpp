#include "ngram_drafter.h"

#include <algorithm>

namespace infernode {

std::uint64_t NgramDrafter::key(std::span<const TokenId> three) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const TokenId token : three)
    hash = (hash ^ static_cast<std::uint32_t>(token)) * 0x9e3779b97f4a7c15ULL;
  return hash;
}

std::vector<TokenId> NgramDrafter::draft(std::span<const TokenId> known, std::size_t most) {
  for (; indexed_ < known.size(); ++indexed_) {
    followers_[key(known.subspan(indexed_ - kLength, kLength))] =
        static_cast<std::uint32_t>(indexed_);
  }
  std::vector<TokenId> drafted;
  if (known.size() <= kLength) return drafted;
  const auto end = known.last(kLength);
  const auto found = followers_.find(key(end));
  if (found == followers_.end()) return drafted;
  const std::size_t from = found->second;
  if (!std::ranges::equal(known.subspan(from - kLength, kLength), end)) return drafted;
  for (std::size_t i = 0; i < most; ++i) {
    const std::size_t at = from + i;
    drafted.push_back(at < known.size() ? known[at] : drafted[at - known.size()]);
  }
  return drafted;
}

}  // namespace infernode
