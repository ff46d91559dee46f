// A request's grammar and the automaton's state after the text so far. A value that belongs to its
// request: a copy continues from the same state. One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "core/types.h"
#include "grammar_automaton.h"
#include "grammar_trigger.h"

namespace infernode {

class Constraint {
 public:
  // The text begins with `prefix`; with triggers, it is unconstrained until one of them. Throws
  // Error(kInvalidOption) if the prefix does not match the grammar.
  explicit Constraint(std::shared_ptr<GrammarAutomaton> automaton, std::string_view prefix = {},
                      const std::shared_ptr<const GrammarTriggers>& triggers = nullptr);

  // Computes the first token masks and other expensive ones ahead, so that no step waits for them.
  // Throws as mask() does.
  void prepare() const {
    if (binds()) automaton_->prepare(state_);
  }

  // Whether the grammar applies to the next token. If not, call watch() only.
  [[nodiscard]] bool binds() const { return !trigger_ && automaton_ != nullptr; }
  // Reports text generated while the grammar did not apply.
  void watch(std::string_view piece);

  // Whether this text may follow. Throws Error(kInvalidOption), as accept() and mask() do, if the
  // grammar is so ambiguous here that the work limit is exceeded.
  [[nodiscard]] bool allows(std::string_view piece) const {
    return !piece.empty() && automaton_->after(state_, piece) != GrammarAutomaton::kDead;
  }
  // Sets the logits of tokens whose text may not follow to -infinity, and of tokens without text:
  // end of generation is decided by may_end().
  void mask(std::span<float> logits) const;
  // Advances the state by text that allows() permits.
  void accept(std::string_view piece);
  // Whether the text matches the grammar and may end here.
  [[nodiscard]] bool may_end() const { return automaton_->may_end(state_); }
  // Whether the text matches the grammar and must end here.
  [[nodiscard]] bool complete() const { return automaton_->only_ends(state_); }

 private:
  std::shared_ptr<GrammarAutomaton> automaton_;
  GrammarAutomaton::State state_;
  std::optional<GrammarTrigger> trigger_;  // until it has matched
};

}  // namespace infernode
