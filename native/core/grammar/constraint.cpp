#include "constraint.h"

#include <limits>
#include <tuple>

namespace infernode {

Constraint::Constraint(std::shared_ptr<GrammarAutomaton> automaton, std::string_view prefix,
                       const std::shared_ptr<const GrammarTriggers>& triggers)
    : automaton_(std::move(automaton)), state_(automaton_->start()) {
  if (triggers != nullptr) trigger_.emplace(triggers);
  if (prefix.empty()) return;
  state_ = automaton_->after(state_, prefix);
  if (state_ == GrammarAutomaton::kDead)
    throw Error(ErrorCode::kInvalidOption, "The grammar forbids what the prompt ends with.");
}

// If the text after the trigger word does not match the grammar, the constraint is dropped: part of
// that text is published already.
void Constraint::watch(std::string_view piece) {
  if (!trigger_) return;
  const auto begun = trigger_->append(piece);
  if (!begun) return;
  trigger_.reset();
  state_ = automaton_->after(state_, *begun);
  if (state_ == GrammarAutomaton::kDead) automaton_ = nullptr;
}

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
