// The automata of the last few grammars, by their text: requests with the same grammar share one,
// and a vocabulary's tokens are sorted once.
// One thread at a time; the automata may be used on any thread.
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
