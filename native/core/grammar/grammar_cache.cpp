#include "grammar_cache.h"

#include <algorithm>

namespace infernode {

namespace {

constexpr std::size_t kRemembered = 16;

}  // namespace

std::shared_ptr<GrammarAutomaton> GrammarCache::find(const std::string& text) {
  const auto found =
      std::ranges::find(entries_, text, [](const auto& entry) { return entry.first; });
  if (found != entries_.end() && !found->second->full()) return found->second;
  if (found != entries_.end()) entries_.erase(found);
  auto grammar = std::make_shared<const Grammar>(Grammar::parse(text));
  if (tokens_ == nullptr) tokens_ = std::make_shared<const TokenOrder>(vocab_);
  entries_.emplace_front(text, std::make_shared<GrammarAutomaton>(std::move(grammar), tokens_));
  if (entries_.size() > kRemembered) entries_.pop_back();
  return entries_.front().second;
}

}  // namespace infernode
