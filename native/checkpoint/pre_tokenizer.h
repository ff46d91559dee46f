// What cuts text into words before byte-level merges, told by its exact patterns: llama.cpp
// has each of them under a name. A pattern that is not in the table has no name: the caller
// refuses it, nothing falls back to a default.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/json_text.h"

namespace infernode {

// "pre_tokenizer" of tokenizer.json, its sequences flattened, each step in one line such as
// "split: \p{N}{1,3}", "digits: one by one" or "bytes: GPT-2's pattern"; spellings of the same
// pattern are one. `label` names the file. Throws Error(kModelCorrupt) for a malformed one.
std::vector<std::string> pre_tokenizer_steps(const Json* pre_tokenizer, const std::string& label);

// Whether the steps end in bytes, which is what makes a vocabulary byte-level.
[[nodiscard]] bool is_byte_level(const std::vector<std::string>& steps);

// llama.cpp's name for the steps; `ignore_merges`: a word that is a token is taken whole.
[[nodiscard]] std::optional<std::string> pre_tokenizer_name(const std::vector<std::string>& steps,
                                                            bool ignore_merges);

// Names that llama.cpp knows.
[[nodiscard]] bool is_pre_tokenizer(std::string_view name);
std::string pre_tokenizer_names();  // "bailingmoe, bloom, ..."

}  // namespace infernode
