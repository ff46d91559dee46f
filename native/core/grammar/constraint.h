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
  // Of a text that begins with `prefix`, or is free before its trigger.
  // Throws Error(kInvalidOption) where the grammar forbids the prefix.
  explicit Constraint(std::shared_ptr<GrammarAutomaton> automaton, std::string_view prefix = {},
                      const std::shared_ptr<const GrammarTriggers>& triggers = nullptr);

  // Finds out which tokens may come first, and what else takes long, so that no step has
  // to wait for that. Throws as mask() does.
  void prepare() const {
    if (binds()) automaton_->prepare(state_);
  }

  // Whether the methods below are to be asked; if not, the text is only watched.
  [[nodiscard]] bool binds() const { return !trigger_ && automaton_ != nullptr; }
  // Takes text that came while nothing bound it.
  void watch(std::string_view piece);

  // Text may follow. Throws Error(kInvalidOption), as accept() and mask() do, for
  // a grammar that can be read in too many ways.
  [[nodiscard]] bool allows(std::string_view piece) const {
    return !piece.empty() && automaton_->after(state_, piece) != GrammarAutomaton::kDead;
  }
  // Sets the logits of tokens whose text may not follow to -infinity, and of
  // those without text: whether the generation may end is may_end()'s matter.
  void mask(std::span<float> logits) const;
  // Takes text that allows() permits.
  void accept(std::string_view piece);
  // The text is whole as it stands.
  [[nodiscard]] bool may_end() const { return automaton_->may_end(state_); }
  // It is whole, and nothing may follow.
  [[nodiscard]] bool complete() const { return automaton_->only_ends(state_); }

 private:
  std::shared_ptr<GrammarAutomaton> automaton_;
  GrammarAutomaton::State state_;
  std::optional<GrammarTrigger> trigger_;  // not met yet
};

}  // namespace infernode
