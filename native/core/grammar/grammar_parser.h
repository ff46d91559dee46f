// Parses GBNF text: rules, alternatives, literals, character classes, ".", groups and the
// repetitions * + ? {m} {m,} {m,n}, which become rules of their own.
// One parser per text and thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gbnf_reader.h"
#include "grammar.h"

namespace infernode {

class GrammarParser {
 public:
  explicit GrammarParser(std::string_view text) : reader_(text) {}
  // Throws Error(kInvalidOption) with the line.
  Grammar parse();

 private:
  using Sequence = std::vector<GrammarElement>;

  std::uint32_t rule_named(const std::string& name);
  void rule();
  void alternatives(std::uint32_t rule, bool nested);
  Sequence sequence(bool nested);
  void item(Sequence& out);
  void literal(Sequence& out);
  void character_class(Sequence& out);
  [[nodiscard]] bool repeat(Sequence& out, std::size_t begin);
  void write_repeats(Sequence& out, std::size_t begin, std::uint32_t least, std::uint32_t most);
  std::uint32_t new_rule();
  void add_alternative(std::uint32_t rule, const Sequence& sequence);
  GrammarElement set_of(CharacterSet set);

  GbnfReader reader_;
  int nesting_ = 0;
  Grammar grammar_;
  std::map<std::string, std::uint32_t> names_;
};

}  // namespace infernode
