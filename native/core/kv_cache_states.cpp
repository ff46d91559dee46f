// The ledger's part on states that leave the engine and come back: a conversation
// saved to a file, read anew into host memory.
#include <algorithm>
#include <limits>

#include "kv_cache.h"

namespace infernode {

namespace {

constexpr std::size_t kAnySize = std::numeric_limits<std::size_t>::max();

}  // namespace

CachedState KvCache::take(std::span<const TokenId> tokens, const std::string& salt) const {
  if (!limits_.cuts) return take_checkpoint(tokens, salt);
  const auto there = [&](PrefixTree::Source source, std::size_t matching) {
    return std::min(matching, static_cast<std::size_t>(length(static_cast<SequenceId>(source))));
  };
  const PrefixTree::Match match = prefixes_.match(tokens, salt, there);
  if (match.source != PrefixTree::kNone && match.length + 1 >= tokens.size()) {
    const auto sequence = static_cast<SequenceId>(match.source);
    const Sequence& held = at(sequence);
    const auto& all = held.holder != nullptr ? held.holder->known : held.tokens;
    return {{all.begin(), all.begin() + length(sequence)}, backend_.save(sequence, kAnySize)};
  }
  const auto any = [](PrefixTree::Source, std::size_t matching) { return matching; };
  const PrefixTree::Match kept = host_.match(tokens, salt, any);
  if (kept.source == PrefixTree::kNone || kept.length + 1 < tokens.size()) return {};
  return {host_.tokens(kept.source), host_.state(kept.source)};
}

bool KvCache::give(CachedState state, const std::string& salt) {
  if (state.state.size() > host_.room()) return false;
  host_.keep(std::move(state.tokens), salt, std::move(state.state));
  return true;
}

}  // namespace infernode
