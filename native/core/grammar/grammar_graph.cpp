#include "grammar_graph.h"

#include <algorithm>
#include <utility>

#include "core/types.h"

namespace infernode {

namespace {

// Limit of the work for one token or one mask, about the number of positions visited: some 100 ms,
// during which all requests wait.
constexpr std::size_t kMostWork = 400'000;

}  // namespace

GrammarGraph::NodeId GrammarGraph::node_of(std::uint32_t element, SetId then) {
  const std::uint64_t key = (std::uint64_t{element} << 32) | then;
  const auto [place, added] = node_ids_.try_emplace(key, static_cast<NodeId>(nodes_.size()));
  if (added) nodes_.push_back({element, then});
  return place->second;
}

GrammarGraph::SetId GrammarGraph::set_of(std::vector<NodeId> nodes) {
  std::ranges::sort(nodes);
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  const auto [place, added] = set_ids_.try_emplace(nodes, static_cast<SetId>(sets_.size()));
  if (added) sets_.push_back(std::move(nodes));
  return place->second;
}

std::vector<GrammarGraph::NodeId> GrammarGraph::imported(const GrammarGraph& from,
                                                         const std::vector<NodeId>& nodes) {
  std::map<NodeId, NodeId> here;  // by id, so that followers come first
  std::vector<NodeId> work = nodes;
  while (!work.empty()) {
    const NodeId id = work.back();
    work.pop_back();
    if (!here.try_emplace(id, kTextEnd).second) continue;
    const auto& then = from.set(from.node(id).then);
    work.insert(work.end(), then.begin(), then.end());
  }
  const auto translated = [&](std::vector<NodeId> ids) {
    for (NodeId& id : ids) id = here.at(id);
    return ids;
  };
  for (auto& [id, own] : here) {
    if (id == kTextEnd) continue;
    own = node_of(from.node(id).element, set_of(translated(from.set(from.node(id).then))));
  }
  return translated(nodes);
}

void GrammarGraph::count_work(std::size_t work) {
  work_ += work;
  total_work_ += work;
  if (work_ <= kMostWork) return;
  throw Error(ErrorCode::kInvalidOption,
              "The grammar has too many ways to go on here to judge every token by; make its "
              "alternatives differ sooner or its repetitions fewer.");
}

}  // namespace infernode
