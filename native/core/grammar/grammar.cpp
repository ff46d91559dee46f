// Validates a parsed grammar: refuses left recursion, and removes alternatives that no text can
// complete. Uses work lists instead of recursion, since an untrusted grammar may be nested deeply.
#include "grammar.h"

#include <algorithm>

#include "core/text/utf8_reader.h"
#include "core/types.h"
#include "grammar_parser.h"

namespace infernode {
namespace {

using Kind = GrammarElement::Kind;

bool may_be_empty(const Grammar& grammar, std::uint32_t at, const std::vector<bool>& nullable) {
  for (; grammar.elements[at].kind != Kind::kEnd; ++at) {
    const GrammarElement element = grammar.elements[at];
    if (element.kind == Kind::kSet || !nullable[element.index]) return false;
  }
  return true;
}

// Rules that use a rule are looked at again once it is known to be nullable.
std::vector<bool> nullable_rules(const Grammar& grammar) {
  std::vector<bool> nullable(grammar.rules.size());
  std::vector<std::vector<std::uint32_t>> users(grammar.rules.size());
  std::vector<std::uint32_t> work;
  for (std::uint32_t rule = 0; rule < grammar.rules.size(); ++rule) {
    work.push_back(rule);
    for (std::uint32_t at : grammar.rules[rule]) {
      for (; grammar.elements[at].kind == Kind::kRule; ++at)
        users[grammar.elements[at].index].push_back(rule);
    }
  }
  while (!work.empty()) {
    const std::uint32_t rule = work.back();
    work.pop_back();
    if (nullable[rule]) continue;
    const auto empty = [&](std::uint32_t at) { return may_be_empty(grammar, at, nullable); };
    if (std::ranges::none_of(grammar.rules[rule], empty)) continue;
    nullable[rule] = true;
    work.insert(work.end(), users[rule].begin(), users[rule].end());
  }
  return nullable;
}

// Whether a rule can begin with another one, and whether that ends its alternative.
struct Beginning {
  std::uint32_t rule;
  bool last;
};
using Beginnings = std::vector<std::vector<Beginning>>;

Beginnings beginnings_of(const Grammar& grammar) {
  const std::vector<bool> nullable = nullable_rules(grammar);
  Beginnings beginnings(grammar.rules.size());
  for (std::uint32_t rule = 0; rule < grammar.rules.size(); ++rule) {
    for (std::uint32_t at : grammar.rules[rule]) {
      for (; grammar.elements[at].kind == Kind::kRule; ++at) {
        const std::uint32_t first = grammar.elements[at].index;
        beginnings[rule].push_back({first, grammar.elements[at + 1].kind == Kind::kEnd});
        if (!nullable[first]) break;
      }
    }
  }
  return beginnings;
}

// Tarjan's strongly connected components, with a stack of its own: rules of one
// component begin with each other.
class Components {
 public:
  explicit Components(const Beginnings& graph)
      : graph_(graph), order_(graph.size()), low_(graph.size()), component_(graph.size()) {
    for (std::uint32_t rule = 0; rule < graph.size(); ++rule) {
      if (order_[rule] == 0) visit(rule);
    }
  }
  std::uint32_t of(std::uint32_t rule) const { return component_[rule]; }

 private:
  struct Frame {
    std::uint32_t rule;
    std::size_t next;
  };

  void enter(std::uint32_t rule) {
    order_[rule] = low_[rule] = ++visits_;
    open_.push_back(rule);
    frames_.push_back({rule, 0});
  }

  void visit(std::uint32_t start) {
    enter(start);
    while (!frames_.empty()) {
      const std::uint32_t rule = frames_.back().rule;
      if (frames_.back().next < graph_[rule].size()) {
        const std::uint32_t other = graph_[rule][frames_.back().next++].rule;
        if (order_[other] == 0) {
          enter(other);
        } else if (component_[other] == 0) {
          low_[rule] = std::min(low_[rule], order_[other]);
        }
        continue;
      }
      frames_.pop_back();
      if (!frames_.empty()) {
        std::uint32_t& above = low_[frames_.back().rule];
        above = std::min(above, low_[rule]);
      }
      if (low_[rule] == order_[rule]) close(rule);
    }
  }

  void close(std::uint32_t rule) {
    ++components_;
    std::uint32_t member = 0;
    do {
      member = open_.back();
      open_.pop_back();
      component_[member] = components_;
    } while (member != rule);
  }

  const Beginnings& graph_;
  std::vector<std::uint32_t> order_, low_, component_;  // 0: not yet
  std::vector<std::uint32_t> open_;
  std::vector<Frame> frames_;
  std::uint32_t visits_ = 0;
  std::uint32_t components_ = 0;
};

// A cycle of rules that each end the other's alternative adds nothing and is harmless; any other
// cycle is left recursion, which never reads a character.
void refuse_left_recursion(const Grammar& grammar) {
  const Beginnings beginnings = beginnings_of(grammar);
  const Components components(beginnings);
  for (std::uint32_t rule = 0; rule < beginnings.size(); ++rule) {
    for (const Beginning& beginning : beginnings[rule]) {
      if (beginning.last || components.of(rule) != components.of(beginning.rule)) continue;
      const std::string& name =
          grammar.names[rule].empty() ? grammar.names[beginning.rule] : grammar.names[rule];
      throw Error(ErrorCode::kInvalidOption,
                  "The grammar's rule " +
                      (name.empty() ? "with a repetition" : "\"" + name + "\"") +
                      " may begin with itself (left recursion); begin it with a character, or "
                      "write the loop with *.");
    }
  }
}

// Removes alternatives that need a character of an empty set ("[]"), and those that need a rule
// without alternatives: no text can complete them.
class ImpossibleAlternatives {
 public:
  explicit ImpossibleAlternatives(Grammar& grammar)
      : grammar_(grammar), users_(grammar.rules.size()) {
    for (std::uint32_t rule = 0; rule < grammar.rules.size(); ++rule) {
      for (const std::uint32_t at : grammar.rules[rule]) visit({rule, at});
    }
  }

  void take_out() {
    while (!work_.empty()) {
      const auto [rule, at] = work_.back();
      work_.pop_back();
      if (std::erase(grammar_.rules[rule], at) == 0 || !grammar_.rules[rule].empty()) continue;
      work_.insert(work_.end(), users_[rule].begin(), users_[rule].end());
    }
    if (!grammar_.rules[grammar_.root].empty()) return;
    throw Error(ErrorCode::kInvalidOption,
                "The grammar allows no text: each alternative of \"root\" needs a character of an "
                "empty class, [].");
  }

 private:
  struct Alternative {
    std::uint32_t rule;
    std::uint32_t at;
  };

  void visit(Alternative alternative) {
    for (std::uint32_t at = alternative.at; grammar_.elements[at].kind != Kind::kEnd; ++at) {
      const GrammarElement element = grammar_.elements[at];
      if (element.kind == Kind::kRule)
        users_[element.index].push_back(alternative);
      else if (!grammar_.sets[element.index].overlaps(0, kLastCharacter))
        work_.push_back(alternative);
    }
  }

  Grammar& grammar_;
  std::vector<std::vector<Alternative>> users_;  // by the rule they use
  std::vector<Alternative> work_;
};

}  // namespace

bool CharacterSet::contains(std::uint32_t character) const {
  return overlaps(character, character);
}

bool CharacterSet::overlaps(std::uint32_t first, std::uint32_t last) const {
  // The first range that does not end before `first`.
  auto range =
      std::ranges::lower_bound(ranges, first, {}, [](const auto& one) { return one.second; });
  if (!negated) return range != ranges.end() && range->first <= last;
  for (; range != ranges.end() && range->first <= first; ++range) {
    if (range->second >= last) return false;
    first = range->second + 1;
  }
  return true;
}

Grammar Grammar::parse(std::string_view text) {
  Grammar grammar = GrammarParser(text).parse();
  refuse_left_recursion(grammar);
  ImpossibleAlternatives(grammar).take_out();
  return grammar;
}

}  // namespace infernode
