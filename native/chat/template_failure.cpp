#include "template_failure.h"

#include <algorithm>
#include <cstddef>
#include <exception>

#include "jinja/lexer.h"
#include "jinja/parser.h"

namespace infernode::chat {

namespace {

constexpr std::string_view kOutOfMemory = "std::bad_alloc";
constexpr std::string_view kUnclosed = "Unexpected token type";  // reported at the end of the text
constexpr std::string_view kNoParser =
    "Unable to generate parser for this template. Automatic parser generation failed: ";

bool take(std::string_view& text, std::string_view beginning) {
  if (!text.starts_with(beginning)) return false;
  text.remove_prefix(beginning.size());
  return true;
}

std::string_view before(std::string_view text, std::string_view end) {
  return text.substr(0, text.find(end));
}

std::string_view after(std::string_view text, std::string_view mark) {
  const std::size_t found = text.find(mark);
  return found == text.npos ? std::string_view() : text.substr(found + mark.size());
}

// "lexer: <reason>", or "parser: Parser Error: <reason>", followed by the template's line and a
// line that points at the position.
std::string parse_error(std::string_view error) {
  take(error, "lexer: ");
  take(error, "parser: ");
  take(error, "Parser Error: ");
  std::string reason(before(error, "\n"));
  if (reason == kUnclosed) reason += ", as where a block has no end";
  const std::string place(before(after(error, "\n"), "\n"));
  return place.empty() ? reason : reason + ", near " + place;
}

std::string failure_of(const jinja::lexer_result& read) {
  try {
    jinja::parse_from_tokens(read);
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

// The line, from 1, of the token at which parsing fails this way; the parser does not report it. It
// parses from the left, so text after that token does not change the failure.
std::ptrdiff_t line_of(const jinja::lexer_result& read, const std::string& failure) {
  std::size_t least = 0;
  std::size_t most = read.tokens.size();
  jinja::lexer_result beginning = read;
  while (least < most) {
    const std::size_t middle = least + (most - least) / 2;
    beginning.tokens.assign(read.tokens.begin(),
                            read.tokens.begin() + static_cast<std::ptrdiff_t>(middle));
    if (failure_of(beginning) == failure)
      most = middle;
    else
      least = middle + 1;
  }
  const std::size_t place = least == 0 ? 0 : read.tokens[least - 1].pos;
  const auto end =
      read.source.begin() + static_cast<std::ptrdiff_t>(std::min(place, read.source.size()));
  return std::count(read.source.begin(), end, '\n') + 1;
}

}  // namespace

std::string unreadable(const std::string& source) {
  std::string reason = "llama.cpp cannot use it";
  try {
    jinja::lexer lexer;
    const jinja::lexer_result read = lexer.tokenize(source);
    const std::string failure = failure_of(read);
    if (!failure.empty()) reason = parse_error(failure);
    if (!failure.empty() && failure != kUnclosed)
      reason += " (line " + std::to_string(line_of(read, failure)) + ")";
  } catch (const std::exception& error) {
    reason = parse_error(error.what());
  }
  return "could not be read: " + reason;
}

// "…While executing <node> at <place> in source:", lines of the template, "Error: " and the reason.
std::string unrendered(std::string_view error) {
  const std::string_view execution = after(error, "While executing ");
  std::string_view reason = after(execution, "\nError: ");
  if (reason.empty()) {
    const bool failed = take(error, kNoParser);
    return (failed ? "could not be run: " : "refused the conversation: ") + std::string(error);
  }
  const std::string place(before(after(execution, " at "), " in source:"));
  const bool raised = take(reason, "Jinja Exception: ");
  if (reason == kOutOfMemory) reason = "it takes too much memory";
  return (raised ? "refused the conversation: " : "could not be run: ") + std::string(reason) +
         " (at " + place + " of the template)";
}

}  // namespace infernode::chat
