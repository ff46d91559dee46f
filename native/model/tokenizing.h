// Tokenizes a prompt slice by slice, so that other prompts are served in between, with the same
// tokens as the whole. One thread.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "model/llama_model.h"
#include "model/llama_text_slices.h"
#include "model/prompt_form.h"

namespace infernode {

struct PromptText {
  std::string text;
  bool add_special = true;
  bool parse_special = false;
};

class Tokenizing {
 public:
  // Model and slices outlive it. Throws Error as LlamaVocab::tokenize() does.
  Tokenizing(const LlamaModel& model, const TextSlices& slices, PromptText prompt);
  Tokenizing(const LlamaModel& model, const TextSlices& slices, const PromptForm& form);

  // Tokenizes the next slice; false once all are done. Throws as the constructors do.
  [[nodiscard]] bool step();
  // A lower bound on the prompt's number of tokens.
  std::size_t least_tokens() const;
  // The tokens so far; all of them once step() has returned false.
  std::vector<TokenId>& tokens() { return tokens_; }

 private:
  void add(PromptSegment segment);

  const LlamaModel& model_;
  const TextSlices& slices_;
  std::deque<PromptSegment> left_;
  std::size_t at_ = 0;          // offset in the first remaining piece
  std::size_t bytes_left_ = 0;  // of all remaining pieces
  bool parse_special_ = false;
  std::vector<TokenId> tokens_;
};

}  // namespace infernode
