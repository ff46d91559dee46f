#include "grammar_trigger.h"

#include <algorithm>
#include <utility>

namespace infernode {

GrammarTrigger::GrammarTrigger(std::shared_ptr<const GrammarTriggers> triggers)
    : triggers_(std::move(triggers)),
      longest_(triggers_->thinking_start.size()),
      thinking_(triggers_->thinking) {
  for (const std::string& word : triggers_->words) longest_ = std::max(longest_, word.size());
  for (const std::string& word : triggers_->thinking_ends)
    longest_ = std::max(longest_, word.size());
}

std::optional<std::string> GrammarTrigger::append(std::string_view bytes) {
  tail_ += bytes;
  while (!thinking_ || leave_thought()) {
    const std::size_t word = first_of(triggers_->words);
    const std::string& start = triggers_->thinking_start;
    const std::size_t thought = start.empty() ? std::string::npos : tail_.find(start);
    if (word < thought) return tail_.substr(word);
    if (thought == std::string::npos) break;
    tail_.erase(0, thought + start.size());
    thinking_ = true;
  }
  if (tail_.size() > longest_) tail_.erase(0, tail_.size() - longest_);
  return std::nullopt;
}

// The word that ends the reasoning stays in the tail, since it may be a trigger.
bool GrammarTrigger::leave_thought() {
  const std::size_t end = first_of(triggers_->thinking_ends);
  if (end == std::string::npos) return false;
  tail_.erase(0, end);
  thinking_ = false;
  return true;
}

std::size_t GrammarTrigger::first_of(const std::vector<std::string>& words) const {
  std::size_t first = std::string::npos;
  for (const std::string& word : words) first = std::min(first, tail_.find(word));
  return first;
}

}  // namespace infernode
