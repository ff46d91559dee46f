#include "template_failure.h"

#include <exception>

#include "jinja/lexer.h"
#include "jinja/parser.h"

namespace infernode::chat {

namespace {

constexpr std::string_view kOutOfMemory = "std::bad_alloc";
constexpr std::string_view kUnclosed = "Unexpected token type";  // at the text's end
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

// "lexer: <reason>", or "parser: Parser Error: <reason>", then a line of the template
// around it and one that points at the place.
std::string parse_error(std::string_view error) {
  take(error, "lexer: ");
  take(error, "parser: ");
  take(error, "Parser Error: ");
  std::string reason(before(error, "\n"));
  if (reason == kUnclosed) reason += ", as where a block has no end";
  const std::string place(before(after(error, "\n"), "\n"));
  return place.empty() ? reason : reason + ", near " + place;
}

}  // namespace

std::string unreadable(const std::string& source) {
  std::string reason = "llama.cpp cannot use it";
  try {
    jinja::lexer lexer;
    jinja::parse_from_tokens(lexer.tokenize(source));
  } catch (const std::exception& error) {
    reason = parse_error(error.what());
  }
  return "could not be read: " + reason;
}

// "…While executing <node> at <place> in source:", lines of the template, "Error: "
// and the reason.
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
