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
  std::string before;          // the prompt's last text: a word may begin in it
  std::string thinking_start;  // "": the model has no reasoning section
  // Texts that end the reasoning; one that is also a trigger word triggers too.
  std::vector<std::string> thinking_ends;
  bool thinking = false;  // the prompt ends inside the reasoning
};

class GrammarTrigger {
 public:
  explicit GrammarTrigger(std::shared_ptr<const GrammarTriggers> triggers);

  // Once a trigger word is complete: the text that the grammar must match, which is the word's
  // `begins` and the text after the word.
  [[nodiscard]] std::optional<std::string> append(std::string_view bytes);

 private:
  struct Found {
    std::size_t at = std::string::npos;
    std::size_t end = std::string::npos;
    const TriggerWord* word = nullptr;
  };
  // The first trigger word in the tail.
  Found first_word() const;
  // The offset in the tail of the first text that ends the reasoning; npos: none.
  std::size_t thought_end() const;
  [[nodiscard]] bool leave_thought();

  std::shared_ptr<const GrammarTriggers> triggers_;
  std::size_t longest_ = 0;  // bytes of a word that matters
  std::string tail_;         // text that may hold the beginning of one
  bool thinking_ = false;
};

}  // namespace infernode
