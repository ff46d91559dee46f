// Waits in a generation's text for the words from which on a grammar binds it,
// such as the beginning of a tool call. What is only thought does not count.
// A value that belongs to its request. One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace infernode {

struct GrammarTriggers {
  std::vector<std::string> words;  // non-empty; the grammar begins with each of them
  std::string thinking_start;      // "": nothing is thought apart
  // What ends a thought; a trigger word among them counts as one.
  std::vector<std::string> thinking_ends;
  bool thinking = false;  // the prompt ended inside a thought
};

class GrammarTrigger {
 public:
  explicit GrammarTrigger(std::shared_ptr<const GrammarTriggers> triggers);

  // The text from the first trigger word on, once it is whole.
  [[nodiscard]] std::optional<std::string> append(std::string_view bytes);

 private:
  // Where the first of them begins in the tail; npos: nowhere.
  std::size_t first_of(const std::vector<std::string>& words) const;
  [[nodiscard]] bool leave_thought();

  std::shared_ptr<const GrammarTriggers> triggers_;
  std::size_t longest_ = 0;  // bytes of a word that matters
  std::string tail_;         // text that may hold the beginning of one
  bool thinking_ = false;
};

}  // namespace infernode
