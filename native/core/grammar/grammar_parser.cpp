#include "grammar_parser.h"

#include <algorithm>
#include <limits>

#include "core/types.h"

namespace infernode {
namespace {

using Kind = GrammarElement::Kind;
constexpr std::size_t kShownName = 64;
constexpr std::uint32_t kUnbounded = std::numeric_limits<std::uint32_t>::max();

[[noreturn]] void fail_too_large() {
  throw Error(ErrorCode::kInvalidOption,
              "The grammar is too large: it may have " + std::to_string(kGrammarBytes >> 10) +
                  " KiB and, with its repetitions written out, " +
                  std::to_string(kGrammarElements) +
                  " characters and names of rules; shorten its texts and lower its repetitions "
                  "(a JSON schema's const, enum, maxLength and maxItems).");
}

}  // namespace

Grammar GrammarParser::parse() {
  if (reader_.size() > kGrammarBytes) fail_too_large();
  for (reader_.skip_space(true); !reader_.at_end(); reader_.skip_space(true)) rule();
  for (const auto& [name, index] : names_) {
    if (grammar_.rules[index].empty())
      reader_.fail("a rule named \"" + name.substr(0, kShownName) + "\" before it");
  }
  const auto root = names_.find("root");
  if (root == names_.end()) reader_.fail("a rule named \"root\" before it");
  grammar_.root = root->second;
  return std::move(grammar_);
}

std::uint32_t GrammarParser::rule_named(const std::string& name) {
  const auto found = names_.find(name);
  if (found != names_.end()) return found->second;
  const std::uint32_t index = names_[name] = new_rule();
  grammar_.names[index] = name.substr(0, kShownName);
  return index;
}

std::uint32_t GrammarParser::new_rule() {
  if (grammar_.rules.size() >= kGrammarElements) fail_too_large();
  grammar_.rules.emplace_back();
  grammar_.names.emplace_back();
  return static_cast<std::uint32_t>(grammar_.rules.size() - 1);
}

void GrammarParser::rule() {
  const std::string rule_name = reader_.name();
  const std::uint32_t index = rule_named(rule_name);
  if (!grammar_.rules[index].empty()) reader_.fail("a name of its own for each rule");
  reader_.skip_space(false);
  if (!reader_.take("::=")) reader_.fail("::= after the rule's name");
  reader_.skip_space(true);
  alternatives(index, false);
  if (!reader_.at_end() && reader_.peek() != '\n' && reader_.peek() != '\r')
    reader_.fail("an element or the end of the rule");
}

void GrammarParser::alternatives(std::uint32_t rule, bool nested) {
  add_alternative(rule, sequence(nested));
  while (reader_.take("|")) {
    reader_.skip_space(true);
    add_alternative(rule, sequence(nested));
  }
}

GrammarParser::Sequence GrammarParser::sequence(bool nested) {
  Sequence out;
  for (reader_.skip_space(nested); !reader_.at_end(); reader_.skip_space(nested)) {
    const char next = reader_.peek();
    if (next == '|' || next == ')' || next == '\n' || next == '\r') break;
    item(out);
    if (out.size() > kGrammarElements) fail_too_large();
  }
  return out;
}

void GrammarParser::item(Sequence& out) {
  const std::size_t begin = out.size();
  if (reader_.take("\"")) {
    literal(out);
  } else if (reader_.take("[")) {
    character_class(out);
  } else if (reader_.take(".")) {
    out.push_back(set_of({true, {}}));
  } else if (reader_.take("(")) {
    if (++nesting_ > kGrammarNesting)
      reader_.fail("at most " + std::to_string(kGrammarNesting) + " nested parentheses");
    reader_.skip_space(true);
    const std::uint32_t group = new_rule();
    alternatives(group, true);
    if (!reader_.take(")")) reader_.fail("a closing parenthesis");
    --nesting_;
    out.push_back({Kind::kRule, group});
  } else if (reader_.peek() == '<' || reader_.peek() == '!') {
    reader_.fail("characters, not tokens: <[id]> and <token> cannot be used here");
  } else {
    out.push_back({Kind::kRule, rule_named(reader_.name())});
  }
  do {
    reader_.skip_space(nesting_ > 0);
  } while (repeat(out, begin));
}

void GrammarParser::literal(Sequence& out) {
  while (!reader_.take("\"")) {
    if (reader_.at_end()) reader_.fail("a closing quotation mark");
    const std::uint32_t letter = reader_.character();
    out.push_back(set_of({false, {{letter, letter}}}));
  }
}

void GrammarParser::character_class(Sequence& out) {
  CharacterSet set;
  set.negated = reader_.take("^");
  while (!reader_.take("]")) {
    if (reader_.at_end()) reader_.fail("a closing bracket");
    const std::uint32_t first = reader_.character();
    const std::uint32_t last = reader_.end_of_range(first);
    if (last < first) reader_.fail("ranges in ascending order");
    set.ranges.emplace_back(first, last);
  }
  out.push_back(set_of(std::move(set)));
}

bool GrammarParser::repeat(Sequence& out, std::size_t begin) {
  if (reader_.take("*")) return write_repeats(out, begin, 0, kUnbounded), true;
  if (reader_.take("+")) return write_repeats(out, begin, 1, kUnbounded), true;
  if (reader_.take("?")) return write_repeats(out, begin, 0, 1), true;
  if (!reader_.take("{")) return false;
  reader_.skip_space(false);
  const std::uint32_t least = reader_.number();
  std::uint32_t most = least;
  reader_.skip_space(false);
  if (reader_.take(",")) {
    reader_.skip_space(false);
    most = reader_.peek() == '}' ? kUnbounded : reader_.number();
    reader_.skip_space(false);
  }
  if (!reader_.take("}")) reader_.fail("a closing brace");
  if (most < least) reader_.fail("{least,most} in ascending order");
  write_repeats(out, begin, least, most);
  return true;
}

// x{2,4} is x x t1 with t1 ::= x t2 | and t2 ::= x | ; x* is t ::= x t | .
void GrammarParser::write_repeats(Sequence& out, std::size_t begin, std::uint32_t least,
                                  std::uint32_t most) {
  Sequence once(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end());
  out.resize(begin);
  if (once.size() > 1) {
    const std::uint32_t whole = new_rule();
    add_alternative(whole, once);
    once = {{Kind::kRule, whole}};
  }
  if (once.empty()) return;
  for (std::uint32_t i = 0; i < least; ++i) out.push_back(once.front());
  Sequence tail;
  if (most == kUnbounded) {
    const std::uint32_t loop = new_rule();
    add_alternative(loop, {once.front(), {Kind::kRule, loop}});
    add_alternative(loop, {});
    tail = {{Kind::kRule, loop}};
  }
  for (std::uint32_t i = least; most != kUnbounded && i < most; ++i) {
    Sequence one{once.front()};
    one.insert(one.end(), tail.begin(), tail.end());
    const std::uint32_t optional = new_rule();
    add_alternative(optional, one);
    add_alternative(optional, {});
    tail = {{Kind::kRule, optional}};
  }
  out.insert(out.end(), tail.begin(), tail.end());
}

void GrammarParser::add_alternative(std::uint32_t rule, const Sequence& sequence) {
  if (grammar_.elements.size() + sequence.size() > kGrammarElements) fail_too_large();
  grammar_.rules[rule].push_back(static_cast<std::uint32_t>(grammar_.elements.size()));
  grammar_.elements.insert(grammar_.elements.end(), sequence.begin(), sequence.end());
  grammar_.elements.push_back({Kind::kEnd, 0});
}

// Ranges are sorted and joined, so that a search needs to look at one.
GrammarElement GrammarParser::set_of(CharacterSet set) {
  std::ranges::sort(set.ranges);
  std::size_t kept = 0;
  for (const auto& range : set.ranges) {
    if (kept > 0 && range.first <= set.ranges[kept - 1].second + 1) {
      set.ranges[kept - 1].second = std::max(set.ranges[kept - 1].second, range.second);
    } else {
      set.ranges[kept++] = range;
    }
  }
  set.ranges.resize(kept);
  grammar_.sets.push_back(std::move(set));
  return {Kind::kSet, static_cast<std::uint32_t>(grammar_.sets.size() - 1)};
}

}  // namespace infernode
