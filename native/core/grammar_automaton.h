// A grammar as an automaton over bytes that is built as far as texts go. A
// state is the set of places in the grammar where a text may be, each with what
// is to follow it: nodes of a tree in which equal ones are one, so that
// states are compared by their numbers. Steps and masks are remembered; whoever
// is bound by the same grammar shares them.
// Any thread; a mutex guards all.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar.h"
#include "token_order.h"
#include "utf8_reader.h"

namespace infernode {

class GrammarAutomaton {
 public:
  using State = std::uint32_t;
  static constexpr State kDead = 0;  // no text leads on from here

  // One bit per token of the vocabulary.
  using Mask = std::vector<std::uint64_t>;

  GrammarAutomaton(std::shared_ptr<const Grammar> grammar,
                   std::shared_ptr<const TokenOrder> tokens);

  State start();
  // Where these bytes lead. Throws Error(kInvalidOption) when the grammar can be
  // read in more ways at once than are followed, or takes too long to judge.
  State after(State state, std::string_view bytes);
  // A whole text may end here.
  bool may_end(State state) const;
  // Nothing may follow.
  bool only_ends(State state) const;
  // The tokens that may follow. Throws as after() does.
  std::shared_ptr<const Mask> allowed(State state);

  // True when it has grown so large that a fresh one should go on.
  bool full() const;
  // An automaton of the same grammar that knows no more than this state, and
  // the state there.
  std::pair<std::shared_ptr<GrammarAutomaton>, State> renewed(State state) const;

 private:
  using NodeId = std::uint32_t;
  struct Node {
    std::uint32_t element;
    NodeId then;  // where to go on after the alternative's end
  };
  struct Place {
    std::vector<NodeId> nodes;  // ascending; each at a character set or the end of the text
    Utf8Reader reader;          // a character of which some bytes have come
    std::unique_ptr<std::array<State, 256>> next;
    std::shared_ptr<const Mask> mask;
  };
  using PlaceKey = std::pair<std::vector<NodeId>, std::uint64_t>;

  State step(State state, std::uint8_t byte);
  State compute(const Place& place, std::uint8_t byte);
  std::shared_ptr<const Mask> compute_mask(State state);
  NodeId node(std::uint32_t element, NodeId then);
  NodeId imported(const GrammarAutomaton& from, NodeId node);
  State state_of(std::vector<NodeId> nodes, Utf8Reader reader);
  std::vector<NodeId> close(std::vector<NodeId> work);
  void spend(std::size_t work);
  const CharacterSet& set_at(NodeId node) const;

  const std::shared_ptr<const Grammar> grammar_;
  const std::shared_ptr<const TokenOrder> tokens_;
  mutable std::mutex mutex_;
  std::vector<Node> nodes_;
  std::unordered_map<std::uint64_t, NodeId> node_ids_;
  std::vector<Place> places_;
  std::map<PlaceKey, State> states_;
  std::size_t masks_ = 0;
  std::size_t work_ = 0;  // of the call that runs
  State start_ = kDead;
};

}  // namespace infernode
