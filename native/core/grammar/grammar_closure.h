// The epsilon closure of positions in a grammar: all positions before a character set that are
// reachable without reading a byte. A rule is entered once, with the union of what may follow it (a
// graph-structured stack), so the work grows with the grammar and not with the number of parses.
// Lives for one step of the automaton; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "grammar.h"
#include "grammar_graph.h"

namespace infernode {

class GrammarClosure {
 public:
  // Both outlive the closure.
  GrammarClosure(const Grammar& grammar, GrammarGraph& graph) : grammar_(grammar), graph_(graph) {}

  // Adds a position: before this element, and after its alternative's end at one of these nodes.
  void add(std::uint32_t element, GrammarGraph::SetId then);
  // The nodes at character sets, and the end of the text where it may end. Once;
  // throws as GrammarGraph::count_work() does.
  std::vector<GrammarGraph::NodeId> nodes();

 private:
  using NodeId = GrammarGraph::NodeId;
  using SetId = GrammarGraph::SetId;
  // What follows an alternative: a set of the graph, or an index into the entries with the highest
  // bit set.
  using Follower = std::uint32_t;

  // A rule that was entered in this step, and the positions to return to after it; more of them may
  // be added during the step.
  struct Entry {
    std::vector<std::pair<std::uint32_t, Follower>> returns;  // element, and what follows there
    bool empty = false;  // the rule may be empty: the text may be after it already
    bool resolved = false;
    SetId set = 0;  // once resolved: the returns as nodes
  };

  void visit(std::uint32_t element, Follower then);
  void enter(std::uint32_t element, Follower then);
  void leave(Follower then);
  void resolve(Follower then);
  [[nodiscard]] bool resolved(Follower then) const;
  SetId set_of(Follower then) const;
  SetId joined(std::vector<Follower> followers);

  const Grammar& grammar_;
  GrammarGraph& graph_;
  std::vector<std::pair<std::uint32_t, Follower>> work_;
  std::unordered_set<std::uint64_t> seen_;
  std::vector<Entry> entries_;
  std::unordered_map<std::uint32_t, std::uint32_t> entry_of_;  // by rule
  std::unordered_map<std::uint32_t, std::vector<Follower>> at_sets_;
  std::map<std::vector<Follower>, SetId> joined_;
  bool may_end_ = false;
};

}  // namespace infernode
