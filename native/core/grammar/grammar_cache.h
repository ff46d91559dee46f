// Grammars by their text, the last few of them: requests bound by the same one
// share its automaton, and a model's tokens are put in order once.
// One thread at a time; what it hands out may be used on any.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "grammar_automaton.h"

namespace infernode {

class GrammarCache {
 public:
  explicit GrammarCache(std::shared_ptr<const Vocab> vocab) : vocab_(std::move(vocab)) {}

  // Throws Error(kInvalidOption) as Grammar::parse() does.
  std::shared_ptr<GrammarAutomaton> find(const std::string& text);

 private:
  std::shared_ptr<const Vocab> vocab_;
  std::shared_ptr<const TokenOrder> tokens_;  // made at the first grammar
  std::deque<std::pair<std::string, std::shared_ptr<GrammarAutomaton>>> entries_;  // latest first
};

}  // namespace infernode
