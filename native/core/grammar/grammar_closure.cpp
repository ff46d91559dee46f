#include "grammar_closure.h"

#include <algorithm>
#include <utility>

namespace infernode {

namespace {

using Kind = GrammarElement::Kind;

constexpr std::uint32_t kEntry = 1U << 31;
constexpr std::size_t kNodesJoinedAtOnce = 4;  // in the time of one unit of work

}  // namespace

void GrammarClosure::add(std::uint32_t element, SetId then) { work_.emplace_back(element, then); }

std::vector<GrammarGraph::NodeId> GrammarClosure::nodes() {
  while (!work_.empty()) {
    const auto [element, then] = work_.back();
    work_.pop_back();
    if (!seen_.insert((std::uint64_t{element} << 32) | then).second) continue;
    graph_.count_work(1);
    visit(element, then);
  }
  std::vector<NodeId> found;
  if (may_end_) found.push_back(GrammarGraph::kTextEnd);
  for (auto& [element, followers] : at_sets_)
    found.push_back(graph_.node_of(element, joined(std::move(followers))));
  return found;
}

// Many places have the same followers.
GrammarGraph::SetId GrammarClosure::joined(std::vector<Follower> followers) {
  for (const Follower then : followers) resolve(then);
  if (followers.size() == 1) return set_of(followers.front());
  std::ranges::sort(followers);
  const auto known = joined_.find(followers);
  if (known != joined_.end()) return known->second;
  std::vector<NodeId> all;
  for (const Follower then : followers) {
    const auto& nodes = graph_.set(set_of(then));
    graph_.count_work(1 + nodes.size() / kNodesJoinedAtOnce);
    all.insert(all.end(), nodes.begin(), nodes.end());
  }
  return joined_[std::move(followers)] = graph_.set_of(std::move(all));
}

void GrammarClosure::visit(std::uint32_t element, Follower then) {
  switch (grammar_.elements[element].kind) {
    case Kind::kSet:
      at_sets_[element].push_back(then);
      return;
    case Kind::kRule:
      return enter(element, then);
    case Kind::kEnd:
      return leave(then);
  }
}

// A rule at the end of an alternative is followed by whatever follows the alternative, so cycles
// return to the same nodes.
void GrammarClosure::enter(std::uint32_t element, Follower then) {
  const std::uint32_t rule = grammar_.elements[element].index;
  if (grammar_.elements[element + 1].kind == Kind::kEnd) {
    for (const std::uint32_t alternative : grammar_.rules[rule])
      work_.emplace_back(alternative, then);
    return;
  }
  const auto number = static_cast<std::uint32_t>(entries_.size());
  const auto [place, added] = entry_of_.try_emplace(rule, number);
  if (added) {
    entries_.emplace_back();
    for (const std::uint32_t alternative : grammar_.rules[rule])
      work_.emplace_back(alternative, number | kEntry);
  }
  Entry& entry = entries_[place->second];
  entry.returns.emplace_back(element + 1, then);
  if (entry.empty) work_.emplace_back(element + 1, then);
}

void GrammarClosure::leave(Follower then) {
  if ((then & kEntry) != 0) {
    Entry& entry = entries_[then & ~kEntry];
    if (entry.empty) return;
    entry.empty = true;
    work_.insert(work_.end(), entry.returns.begin(), entry.returns.end());
    return;
  }
  for (const NodeId id : graph_.set(then)) {
    if (id == GrammarGraph::kTextEnd) {
      may_end_ = true;
    } else {
      work_.emplace_back(graph_.node(id).element, graph_.node(id).then);
    }
  }
}

bool GrammarClosure::resolved(Follower then) const {
  return (then & kEntry) == 0 || entries_[then & ~kEntry].resolved;
}

GrammarGraph::SetId GrammarClosure::set_of(Follower then) const {
  return (then & kEntry) == 0 ? then : entries_[then & ~kEntry].set;
}

// Turns an entry's returns into nodes, those of the entries it depends on first: entries have no
// cycles, since left recursion is refused.
void GrammarClosure::resolve(Follower follower) {
  std::vector<Follower> open{follower};
  while (!open.empty()) {
    const Follower next = open.back();
    if (resolved(next)) {
      open.pop_back();
      continue;
    }
    Entry& entry = entries_[next & ~kEntry];
    const std::size_t before = open.size();
    for (const auto& [element, then] : entry.returns)
      if (!resolved(then)) open.push_back(then);
    if (open.size() > before) continue;
    std::vector<NodeId> nodes;
    for (const auto& [element, then] : entry.returns)
      nodes.push_back(graph_.node_of(element, set_of(then)));
    entry.set = graph_.set_of(std::move(nodes));
    graph_.count_work(entry.returns.size() / kNodesJoinedAtOnce);
    entry.resolved = true;
  }
}

}  // namespace infernode
