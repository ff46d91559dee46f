// Searches a generation's text for the trigger words of a lazy grammar, such as the beginning of a
// tool call, from which on the grammar applies. Words inside the model's reasoning do not count.
// A value that belongs to its request. One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace infernode {

struct TriggerWord {
  std::string text;    // not empty; a space stands for any white space, none included
  std::string begins;  // the beginning of the grammar's text that the word stands for
};

struct GrammarTriggers {
  std::vector<TriggerWord> words;
  std::string before;          // what the prompt ends with: a word may begin in it
  std::string thinking_start;  // "": nothing is thought apart
  // What ends a thought; a trigger word among them counts as one.
  std::vector<std::string> thinking_ends;
  bool thinking = false;  // the prompt ended inside a thought
};

class GrammarTrigger {
 public:
  explicit GrammarTrigger(std::shared_ptr<const GrammarTriggers> triggers);

  // What the grammar has to accept once a trigger word is whole: its beginning, and the text
  // that followed.
  [[nodiscard]] std::optional<std::string> append(std::string_view bytes);

 private:
  struct Found {
    std::size_t at = std::string::npos;
    std::size_t end = std::string::npos;
    const TriggerWord* word = nullptr;
  };
  // The first trigger word in the tail.
  Found first_word() const;
  // Where the first of the texts that end a thought begins in the tail; npos: nowhere.
  std::size_t thought_end() const;
  [[nodiscard]] bool leave_thought();

  std::shared_ptr<const GrammarTriggers> triggers_;
  std::size_t longest_ = 0;  // bytes of a word that matters
  std::string tail_;         // text that may hold the beginning of one
  bool thinking_ = false;
};

}  // namespace infernode
