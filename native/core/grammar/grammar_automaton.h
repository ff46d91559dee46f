// A grammar as an automaton over bytes, built lazily: states are added as texts reach them. A state
// is a set of positions in the grammar, each with its return stack, as llama.cpp's grammar has
// them; here the stacks are nodes of one graph (a graph-structured stack). Equal nodes are stored
// once, so states are compared by node numbers, and an ambiguous grammar does not multiply them.
// Transitions and token masks are cached, and shared by all requests with the same grammar. Any
// thread; a mutex guards all.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/sampling/token_order.h"
#include "core/text/utf8_reader.h"
#include "grammar.h"
#include "grammar_graph.h"

namespace infernode {

class GrammarAutomaton {
 public:
  using State = std::uint32_t;
  static constexpr State kDead = 0;  // the text does not match the grammar

  // One bit per token of the vocabulary.
  using Mask = std::vector<std::uint64_t>;

  GrammarAutomaton(std::shared_ptr<const Grammar> grammar,
                   std::shared_ptr<const TokenOrder> tokens);

  // Throws as after() does.
  State start();
  // The state after these bytes. Throws Error(kInvalidOption) if computing it exceeds the work
  // limit (GrammarGraph::count_work()).
  State after(State state, std::string_view bytes);
  // Whether the text may end in this state.
  [[nodiscard]] bool may_end(State state) const;
  // Whether the text must end in this state.
  [[nodiscard]] bool only_ends(State state) const;
  // The tokens that are allowed in this state. Throws as after() does.
  std::shared_ptr<const Mask> allowed(State state);
  // Computes the mask of this state, and those of next states that are expensive to compute. Throws
  // as after() does.
  void prepare(State state);

  // For tests: the work done so far, as GrammarGraph counts it. Cached steps and masks cost none.
  [[nodiscard]] std::size_t work() const;

  // True if the automaton should be replaced by renewed(), because it has cached too much.
  [[nodiscard]] bool full() const;
  // A new automaton of the same grammar with this state only, and the state's number there.
  std::pair<std::shared_ptr<GrammarAutomaton>, State> renewed(State state) const;

 private:
  using NodeId = GrammarGraph::NodeId;
  struct Place {
    std::vector<NodeId> nodes;  // ascending; each at a character set or the end of the text
    Utf8Reader reader;          // an incomplete UTF-8 character
    std::unique_ptr<std::array<State, 256>> next;
    std::shared_ptr<const Mask> mask;
  };
  using PlaceKey = std::pair<std::vector<NodeId>, std::uint64_t>;

  State step(State state, std::uint8_t byte);
  State compute(const Place& place, std::uint8_t byte);
  const std::shared_ptr<const Mask>& mask_of(State state);
  State slowest_without_mask() const;
  std::shared_ptr<const Mask> compute_mask(State state);
  State state_of(std::vector<NodeId> nodes, Utf8Reader reader);
  const CharacterSet& set_at(NodeId node) const;

  const std::shared_ptr<const Grammar> grammar_;
  const std::shared_ptr<const TokenOrder> tokens_;
  mutable std::mutex mutex_;
  GrammarGraph graph_;
  std::vector<Place> places_;
  std::map<PlaceKey, State> states_;
  std::size_t masks_ = 0;
  State start_ = kDead;
};

}  // namespace infernode
