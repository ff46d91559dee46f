// A prompt written from a template: marks such as "{query}" stand for texts. The
// template's control tokens count as such, those spelt in the texts never do, so
// that a document cannot end its own place.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/llama_model.h"

namespace infernode {

struct PromptForm {
  std::string text;
  std::vector<std::pair<std::string, std::string>> values;  // of marks
};

// The tokens of the whole; where no text spells a control token, those of the filled-in
// template read at once. Throws Error as LlamaModel::tokenize() does.
std::vector<TokenId> tokenize_form(const LlamaModel& model, const PromptForm& form);

}  // namespace infernode
