// The graph-structured stack of a grammar automaton: a node is a position in the grammar with the
// set of nodes that may follow its alternative. Equal nodes and equal sets are stored once and have
// a number; a node's number is larger than those of its followers. Also limits the work of a step.
// One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

namespace infernode {

class GrammarGraph {
 public:
  using NodeId = std::uint32_t;
  using SetId = std::uint32_t;

  struct Node {
    std::uint32_t element;  // of the grammar
    SetId then;             // nodes that may follow the alternative's end
  };

  // The node of a text that may end; nothing follows it.
  static constexpr NodeId kTextEnd = 0;

  GrammarGraph() { nodes_.push_back({0, set_of({})}); }

  NodeId node_of(std::uint32_t element, SetId then);
  SetId set_of(std::vector<NodeId> nodes);
  const Node& node(NodeId id) const { return nodes_[id]; }
  // Ascending. Valid until the next set_of().
  const std::vector<NodeId>& set(SetId id) const { return sets_[id]; }
  std::size_t size() const { return nodes_.size(); }

  // Another graph's nodes and all that may follow them, as nodes of this one.
  std::vector<NodeId> imported(const GrammarGraph& from, const std::vector<NodeId>& nodes);

  void begin_work() { work_ = 0; }
  // Throws Error(kInvalidOption) when the work since begin_work() is too much.
  void count_work(std::size_t work);
  // All work that was ever counted.
  std::size_t total_work() const { return total_work_; }

 private:
  std::vector<Node> nodes_;
  std::unordered_map<std::uint64_t, NodeId> node_ids_;
  std::vector<std::vector<NodeId>> sets_;
  std::map<std::vector<NodeId>, SetId> set_ids_;
  std::size_t work_ = 0;  // since begin_work()
  std::size_t total_work_ = 0;
};

}  // namespace infernode
