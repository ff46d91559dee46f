#include "host_tier.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

namespace infernode {

void HostTier::add_saved(std::size_t bytes) {
  make_room(bytes);
  saved_bytes_ += bytes;
}

bool HostTier::keep(std::vector<TokenId> tokens, const std::string& salt, StateBytes state) {
  if (tokens.empty() || state.empty() || state.size() > room()) return false;
  // Entries that this one contains are of no more use.
  const auto contained = [&](Id id, std::size_t matching) {
    return matching == entries_.at(id).tokens.size() ? matching : 0;
  };
  while (can_truncate_) {
    const PrefixTree::Match shorter = prefixes_.match(tokens, salt, contained);
    if (shorter.source == PrefixTree::kNone) break;
    drop(shorter.source);
  }
  make_room(state.size());
  const Id id = next_id_++;
  const std::size_t bytes = state.size();
  try {
    prefixes_.put(id, salt, tokens);
    entries_[id] = {std::move(tokens), std::move(state), ++uses_};
  } catch (const std::bad_alloc&) {
    entries_.clear();
    prefixes_ = PrefixForest();
    prefix_bytes_ = 0;
    return false;
  }
  prefix_bytes_ += bytes;
  return true;
}

bool HostTier::holds(std::span<const TokenId> tokens, const std::string& salt) const {
  const auto usable = [&](Id id, std::size_t matching) {
    return can_truncate_ || matching == entries_.at(id).tokens.size() ? matching : 0;
  };
  return match(tokens, salt, usable).length == tokens.size();
}

PrefixTree::Match HostTier::match(std::span<const TokenId> prompt, const std::string& salt,
                                  const PrefixTree::Usable& usable) const {
  return prefixes_.match(prompt, salt, usable);
}

const StateBytes& HostTier::use(Id id, bool moved) {
  Entry& entry = entries_.at(id);
  entry.last_used = moved ? 0 : ++uses_;
  return entry.state;
}

void HostTier::make_room(std::size_t bytes) {
  while (prefix_bytes_ > 0 && bytes + prefix_bytes_ + saved_bytes_ > limit_) {
    const auto oldest = std::min_element(
        entries_.begin(), entries_.end(),
        [](const auto& a, const auto& b) { return a.second.last_used < b.second.last_used; });
    drop(oldest->first);
  }
}

void HostTier::drop(Id id) {
  prefix_bytes_ -= entries_.at(id).state.size();
  prefixes_.remove(id);
  entries_.erase(id);
}

void HostTier::check(std::size_t saved) const {
  std::size_t kept = 0;
  for (const auto& [id, entry] : entries_) kept += entry.state.size();
  INFERNODE_CHECK(kept == prefix_bytes_, "host memory keeps prefixes of " + std::to_string(kept) +
                                             " bytes and counts " + std::to_string(prefix_bytes_));
  INFERNODE_CHECK(saved == saved_bytes_,
                  "preempted requests own states of " + std::to_string(saved) +
                      " bytes in host memory, which counts " + std::to_string(saved_bytes_));
}

}  // namespace infernode
