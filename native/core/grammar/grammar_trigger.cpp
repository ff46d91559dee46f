#include "grammar_trigger.h"

#include <algorithm>
#include <utility>

namespace infernode {

namespace {

// White space that one space of a trigger word stands for: the most that llama.cpp's JSON
// grammars allow is two line breaks and an indentation of 20.
constexpr std::size_t kMostSpace = 24;  // bytes

bool is_space(char byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }

std::size_t longest(const std::string& word) {
  return word.size() + static_cast<std::size_t>(std::ranges::count(word, ' ')) * kMostSpace;
}

// Where the word that begins at `at` ends; npos: another text is there, or too little.
std::size_t end_of(const std::string& word, std::string_view text, std::size_t at) {
  for (const char expected : word) {
    if (expected == ' ') {
      const std::size_t most = std::min(text.size(), at + kMostSpace);
      while (at < most && is_space(text[at])) ++at;
    } else if (at == text.size() || text[at] != expected) {
      return std::string::npos;
    } else {
      ++at;
    }
  }
  return at;
}

}  // namespace

GrammarTrigger::GrammarTrigger(std::shared_ptr<const GrammarTriggers> triggers)
    : triggers_(std::move(triggers)),
      longest_(triggers_->thinking_start.size()),
      tail_(triggers_->before),
      thinking_(triggers_->thinking) {
  for (const TriggerWord& word : triggers_->words)
    longest_ = std::max(longest_, longest(word.text));
  for (const std::string& word : triggers_->thinking_ends)
    longest_ = std::max(longest_, word.size());
}

std::optional<std::string> GrammarTrigger::append(std::string_view bytes) {
  tail_ += bytes;
  while (!thinking_ || leave_thought()) {
    const Found found = first_word();
    const std::string& start = triggers_->thinking_start;
    const std::size_t thought = start.empty() ? std::string::npos : tail_.find(start);
    if (found.at < thought) return found.word->begins + tail_.substr(found.end);
    if (thought == std::string::npos) break;
    tail_.erase(0, thought + start.size());
    thinking_ = true;
  }
  if (tail_.size() > longest_) tail_.erase(0, tail_.size() - longest_);
  return std::nullopt;
}

// The word that ends the reasoning stays in the tail, since it may be a trigger.
bool GrammarTrigger::leave_thought() {
  const std::size_t end = thought_end();
  if (end == std::string::npos) return false;
  tail_.erase(0, end);
  thinking_ = false;
  return true;
}

GrammarTrigger::Found GrammarTrigger::first_word() const {
  for (std::size_t at = 0; at < tail_.size(); ++at)
    for (const TriggerWord& word : triggers_->words)
      if (const std::size_t end = end_of(word.text, tail_, at); end != std::string::npos)
        return {at, end, &word};
  return {};
}

std::size_t GrammarTrigger::thought_end() const {
  std::size_t first = std::string::npos;
  for (const std::string& word : triggers_->thinking_ends)
    first = std::min(first, tail_.find(word));
  return first;
}

}  // namespace infernode
