#include "gbnf_reader.h"

#include <algorithm>

#include "core/text/utf8_reader.h"
#include "core/types.h"
#include "grammar.h"

namespace infernode {

namespace {

bool is_name(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
}

}  // namespace

void GbnfReader::fail(const std::string& expected) const {
  const auto line =
      1 + std::count(text_.begin(),
                     text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size())),
                     '\n');
  throw Error(ErrorCode::kInvalidOption, "The grammar is not GBNF: line " + std::to_string(line) +
                                             " must have " + expected + ".");
}

bool GbnfReader::take(std::string_view word) {
  if (!text_.substr(at_).starts_with(word)) return false;
  at_ += word.size();
  return true;
}

void GbnfReader::skip_space(bool newlines) {
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

std::string GbnfReader::name() {
  const std::size_t begin = at_;
  while (!at_end() && is_name(peek())) ++at_;
  if (begin == at_) fail("a rule's name");
  return std::string(text_.substr(begin, at_ - begin));
}

std::uint32_t GbnfReader::number() {
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

std::uint32_t GbnfReader::character() {
  if (take("\\")) return escaped();
  Utf8Reader reader;
  do {
    if (at_end() || !reader.take(static_cast<std::uint8_t>(text_[at_++]))) fail("valid UTF-8");
  } while (reader.missing() > 0);
  return reader.character();
}

std::uint32_t GbnfReader::escaped() {
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

std::uint32_t GbnfReader::hexadecimal(int digits) {
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

std::uint32_t GbnfReader::end_of_range(std::uint32_t first) {
  if (peek() != '-' || at_ + 1 >= text_.size() || text_[at_ + 1] == ']') return first;
  ++at_;
  return character();
}

}  // namespace infernode
