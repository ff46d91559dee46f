#include "grammar_parser.h"

#include <algorithm>
#include <limits>

#include "core/text/utf8_reader.h"
#include "core/types.h"

namespace infernode {
namespace {

using Kind = GrammarElement::Kind;
constexpr std::size_t kShownName = 64;
constexpr std::uint32_t kUnbounded = std::numeric_limits<std::uint32_t>::max();

bool is_name(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
}

}  // namespace

void GrammarParser::fail(const std::string& expected) const {
  const auto line =
      1 + std::count(text_.begin(),
                     text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size())),
                     '\n');
  throw Error(ErrorCode::kInvalidOption, "The grammar is not GBNF: line " + std::to_string(line) +
                                             " must have " + expected + ".");
}

void GrammarParser::fail_too_large() {
  throw Error(ErrorCode::kInvalidOption,
              "The grammar is too large: it may have " + std::to_string(kGrammarBytes >> 10) +
                  " KiB and, with its repetitions written out, " +
                  std::to_string(kGrammarElements) +
                  " characters and names of rules; shorten its texts and lower its repetitions "
                  "(a JSON schema's const, enum, maxLength and maxItems).");
}

Grammar GrammarParser::parse() {
  if (text_.size() > kGrammarBytes) fail_too_large();
  for (skip_space(true); !at_end(); skip_space(true)) rule();
  for (const auto& [name, index] : names_) {
    if (grammar_.rules[index].empty())
      fail("a rule named \"" + name.substr(0, kShownName) + "\" before it");
  }
  const auto root = names_.find("root");
  if (root == names_.end()) fail("a rule named \"root\" before it");
  grammar_.root = root->second;
  return std::move(grammar_);
}

bool GrammarParser::take(std::string_view word) {
  if (!text_.substr(at_).starts_with(word)) return false;
  at_ += word.size();
  return true;
}

void GrammarParser::skip_space(bool newlines) {
  while (!at_end()) {
    const char next = peek();
    if (next == '#') {
      while (!at_end() && peek() != '\n') ++at_;
    } else if (next == ' ' || next == '\t' || (newlines && (next == '\n' || next == '\r'))) {
      ++at_;
    } else {
      return;
    }
  }
}

std::string GrammarParser::name() {
  const std::size_t begin = at_;
  while (!at_end() && is_name(peek())) ++at_;
  if (begin == at_) fail("a rule's name");
  return std::string(text_.substr(begin, at_ - begin));
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
  const std::string rule_name = name();
  const std::uint32_t index = rule_named(rule_name);
  if (!grammar_.rules[index].empty()) fail("a name of its own for each rule");
  skip_space(false);
  if (!take("::=")) fail("::= after the rule's name");
  skip_space(true);
  alternatives(index, false);
  if (!at_end() && peek() != '\n' && peek() != '\r') fail("an element or the end of the rule");
}

void GrammarParser::alternatives(std::uint32_t rule, bool nested) {
  add_alternative(rule, sequence(nested));
  while (take("|")) {
    skip_space(true);
    add_alternative(rule, sequence(nested));
  }
}

GrammarParser::Sequence GrammarParser::sequence(bool nested) {
  Sequence out;
  for (skip_space(nested); !at_end(); skip_space(nested)) {
    const char next = peek();
    if (next == '|' || next == ')' || next == '\n' || next == '\r') break;
    item(out);
    if (out.size() > kGrammarElements) fail_too_large();
  }
  return out;
}

void GrammarParser::item(Sequence& out) {
  const std::size_t begin = out.size();
  if (take("\"")) {
    literal(out);
  } else if (take("[")) {
    character_class(out);
  } else if (take(".")) {
    out.push_back(set_of({true, {}}));
  } else if (take("(")) {
    if (++nesting_ > kGrammarNesting)
      fail("at most " + std::to_string(kGrammarNesting) + " nested parentheses");
    skip_space(true);
    const std::uint32_t group = new_rule();
    alternatives(group, true);
    if (!take(")")) fail("a closing parenthesis");
    --nesting_;
    out.push_back({Kind::kRule, group});
  } else if (peek() == '<' || peek() == '!') {
    fail("characters, not tokens: <[id]> and <token> cannot be used here");
  } else {
    out.push_back({Kind::kRule, rule_named(name())});
  }
  do {
    skip_space(nesting_ > 0);
  } while (repeat(out, begin));
}

void GrammarParser::literal(Sequence& out) {
  while (!take("\"")) {
    if (at_end()) fail("a closing quotation mark");
    const std::uint32_t letter = character();
    out.push_back(set_of({false, {{letter, letter}}}));
  }
}

void GrammarParser::character_class(Sequence& out) {
  CharacterSet set;
  set.negated = take("^");
  while (!take("]")) {
    if (at_end()) fail("a closing bracket");
    const std::uint32_t first = character();
    std::uint32_t last = first;
    if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
      ++at_;
      last = character();
    }
    if (last < first) fail("ranges in ascending order");
    set.ranges.emplace_back(first, last);
  }
  out.push_back(set_of(std::move(set)));
}

bool GrammarParser::repeat(Sequence& out, std::size_t begin) {
  if (take("*")) return write_repeats(out, begin, 0, kUnbounded), true;
  if (take("+")) return write_repeats(out, begin, 1, kUnbounded), true;
  if (take("?")) return write_repeats(out, begin, 0, 1), true;
  if (!take("{")) return false;
  skip_space(false);
  const std::uint32_t least = number();
  std::uint32_t most = least;
  skip_space(false);
  if (take(",")) {
    skip_space(false);
    most = peek() == '}' ? kUnbounded : number();
    skip_space(false);
  }
  if (!take("}")) fail("a closing brace");
  if (most < least) fail("{least,most} in ascending order");
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

std::uint32_t GrammarParser::number() {
  const std::size_t begin = at_;
  std::uint32_t value = 0;
  for (; peek() >= '0' && peek() <= '9'; ++at_) {
    value = value * 10 + static_cast<std::uint32_t>(peek() - '0');
    if (value > kGrammarRepeats)
      fail("at most " + std::to_string(kGrammarRepeats) + " repetitions");
  }
  if (begin == at_) fail("a number of repetitions");
  return value;
}

std::uint32_t GrammarParser::character() {
  if (take("\\")) return escaped();
  Utf8Reader reader;
  do {
    if (at_end() || !reader.take(static_cast<std::uint8_t>(text_[at_++]))) fail("valid UTF-8");
  } while (reader.missing() > 0);
  return reader.character();
}

std::uint32_t GrammarParser::escaped() {
  const char letter = peek();
  if (!at_end()) ++at_;
  switch (letter) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'x':
      return hexadecimal(2);
    case 'u':
      return hexadecimal(4);
    case 'U':
      return hexadecimal(8);
    case '\\':
    case '"':
    case '[':
    case ']':
    case '-':
    case '^':
      return static_cast<std::uint32_t>(letter);
    default:
      fail("one of the escapes \\n \\r \\t \\xHH \\uHHHH \\UHHHHHHHH \\\\ \\\" \\[ \\] \\- \\^");
  }
}

std::uint32_t GrammarParser::hexadecimal(int digits) {
  std::uint32_t value = 0;
  for (int i = 0; i < digits; ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const char digit = peek() >= 'A' && peek() <= 'F' ? static_cast<char>(peek() + 32) : peek();
    const std::size_t place = kDigits.find(digit);
    if (at_end() || place == std::string_view::npos) fail("hexadecimal digits in an escape");
    value = value * 16 + static_cast<std::uint32_t>(place);
    ++at_;
  }
  if (value > kLastCharacter) fail("characters up to U+10FFFF");
  return value;
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
