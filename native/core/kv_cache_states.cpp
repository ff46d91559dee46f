// The ledger's part on states that leave the engine and come back: a conversation
// saved to a file, read anew into host memory.
#include <algorithm>

#include "kv_cache.h"

namespace infernode {

CachedState KvCache::export_state(Request& request) {
  const auto length = static_cast<std::size_t>(request.spec.prompt_tokens);
  const auto prompt = std::span<const TokenId>(request.progress.known).first(length);
  const std::string& salt = request.spec.params.cache_salt;
  CachedState kept =
      limits_.can_truncate ? take_longer(prompt, salt) : take_checkpoint(prompt, salt);
  if (!kept.state.empty()) return kept;
  if (!store_->truncate(request.progress.sequence, request.progress.computed))
    return {};  // guesses behind it
  return {
      {request.progress.known.begin(), request.progress.known.begin() + request.progress.computed},
      store_->save(request.progress.sequence, kAnySize)};
}

// Of an idle sequence that has all of the prompt.
CachedState KvCache::take_longer(std::span<const TokenId> prompt, const std::string& salt) const {
  const auto idle = [&](PrefixTree::Source source, std::size_t matching) -> std::size_t {
    const auto sequence = static_cast<SequenceId>(source);
    return holder(sequence) == nullptr && matching == prompt.size() ? matching : 0;
  };
  const PrefixTree::Match match = prefixes_.match(prompt, salt, idle);
  if (match.source == PrefixTree::kNone) return {};
  const auto sequence = static_cast<SequenceId>(match.source);
  return {at(sequence).tokens, store_->save(sequence, kAnySize)};
}

// The longest state that the prompt begins with, if it has nearly all of it.
CachedState KvCache::take_checkpoint(std::span<const TokenId> prompt,
                                     const std::string& salt) const {
  const auto least =
      prompt.size() - std::min(prompt.size(), std::size_t{1} + limits_.facts.wide_rows);
  const auto exact = [&](PrefixTree::Source id, std::size_t matching) {
    return matching == host_.tokens(id).size() ? matching : 0;
  };
  const PrefixTree::Match kept = host_.match(prompt, salt, exact);
  if (kept.source == PrefixTree::kNone || kept.length < least) return {};
  return {host_.tokens(kept.source), host_.state(kept.source)};
}

StateImport KvCache::import_state(CachedState state, const std::string& salt) {
  const auto length = static_cast<Position>(state.tokens.size());
  if (!store_->has_form(state.state, length)) return StateImport::kMalformed;
  if (state.state.size() > host_.room()) return StateImport::kNoRoom;
  const bool kept = host_.keep(std::move(state.tokens), salt, std::move(state.state));
  return kept ? StateImport::kKept : StateImport::kNoRoom;
}

}  // namespace infernode
