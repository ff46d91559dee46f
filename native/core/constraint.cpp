#include "constraint.h"

#include <limits>
#include <tuple>

namespace infernode {

void Constraint::mask(std::span<float> logits) const {
  const auto allowed = automaton_->allowed(state_);
  for (std::size_t token = 0; token < logits.size(); ++token) {
    const std::uint64_t word = (*allowed)[token / 64];
    if (((word >> (token % 64)) & 1U) == 0) logits[token] = -std::numeric_limits<float>::infinity();
  }
}

void Constraint::accept(std::string_view piece) {
  if (automaton_->full()) std::tie(automaton_, state_) = automaton_->renewed(state_);
  state_ = automaton_->after(state_, piece);
  INFERNODE_CHECK(state_ != GrammarAutomaton::kDead,
                  "a token was accepted that the grammar forbids");
}

}  // namespace infernode
