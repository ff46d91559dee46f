// Reads the lexical elements of GBNF text: names, numbers, characters and punctuation. A value; one
// thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace infernode {

class GbnfReader {
 public:
  explicit GbnfReader(std::string_view text) : text_(text) {}

  // Throws Error(kInvalidOption) with the line.
  [[noreturn]] void fail(const std::string& expected) const;

  std::size_t size() const { return text_.size(); }
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  // '\0' at the end.
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  // Reads this word if it comes next.
  [[nodiscard]] bool take(std::string_view word);
  // Spaces and comments, and newlines if `newlines`.
  void skip_space(bool newlines);

  // Each throws if something else comes next.
  std::string name();
  std::uint32_t number();
  std::uint32_t character();
  // The end of a range like a-z, if one follows its first character; else `first`.
  std::uint32_t end_of_range(std::uint32_t first);

 private:
  std::uint32_t escaped();
  std::uint32_t hexadecimal(int digits);

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace infernode
