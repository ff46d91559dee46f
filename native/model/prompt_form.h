// A prompt made from a template with placeholders such as "{query}". Control tokens in the template
// are parsed as such; those spelled in the inserted texts never are, so that a document cannot end
// its own section. Pure; any thread.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/llama_model.h"

namespace infernode {

struct PromptForm {
  std::string text;
  std::vector<std::pair<std::string, std::string>> values;  // per placeholder
};

// A control token, or text in which control tokens are not parsed.
using PromptSegment = std::variant<TokenId, std::string>;

// The pieces of the whole prompt, no text among them empty. Throws Error as LlamaVocab::tokenize()
// does.
std::vector<PromptSegment> segments_of(const LlamaModel& model, const PromptForm& form);

}  // namespace infernode
