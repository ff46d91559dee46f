// A GBNF grammar as rules over characters. Immutable and shared; any thread may read it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace infernode {

constexpr std::size_t kGrammarBytes = 256 * 1024;     // of text
constexpr std::size_t kGrammarElements = 200 * 1000;  // after repetitions are written out
constexpr int kGrammarNesting = 128;                  // of parentheses
constexpr std::uint32_t kGrammarRepeats = 2000;       // in {m,n}

struct CharacterSet {
  bool negated = false;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;  // ascending, both ends included

  [[nodiscard]] bool contains(std::uint32_t character) const;
  // Is any character of [first, last] in the set?
  [[nodiscard]] bool overlaps(std::uint32_t first, std::uint32_t last) const;
};

struct GrammarElement {
  enum class Kind : std::uint8_t { kEnd, kRule, kSet };
  Kind kind;
  std::uint32_t index;  // of the rule or the set
};

struct Grammar {
  std::vector<GrammarElement> elements;           // alternatives, each closed by kEnd
  std::vector<std::vector<std::uint32_t>> rules;  // where their alternatives begin
  std::vector<std::string> names;                 // of rules; "" for parts of rules
  std::vector<CharacterSet> sets;
  std::uint32_t root = 0;

  // Throws Error(kInvalidOption), naming the line or the rule, for what is not
  // GBNF, undefined rules, left recursion, references to tokens, and more than
  // the limits above.
  static Grammar parse(std::string_view text);
};

}  // namespace infernode
