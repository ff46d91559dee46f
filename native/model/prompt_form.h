// A prompt written from a template: marks such as "{query}" stand for texts. The
// template's control tokens count as such, those spelt in the texts never do, so
// that a document cannot end its own place.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/llama_model.h"

namespace infernode {

struct PromptForm {
  std::string text;
  std::vector<std::pair<std::string, std::string>> values;  // of marks
};

// A control token, or text that spells none.
using PromptSegment = std::variant<TokenId, std::string>;

// What the tokens of the whole are made of, none of the texts empty. Throws Error as
// LlamaModel::tokenize() does.
std::vector<PromptSegment> segments_of(const LlamaModel& model, const PromptForm& form);

}  // namespace infernode
