// Identifies the pre-tokenizer, which splits text into words before byte-level merges, by its exact
// patterns: llama.cpp implements each of them under a name, one of them nearly. A pattern that is
// not in the table has no name: the caller refuses it, there is no default. Values; any thread may
// call the functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/json_text.h"

namespace infernode {

// "pre_tokenizer" of tokenizer.json with its sequences flattened, one line per step, such as
// "split: \p{N}{1,3}", "digits: one by one" or "bytes: GPT-2's pattern"; different spellings of a
// pattern are normalised. `label` names the file. Throws Error(kModelCorrupt) for a malformed one.
std::vector<std::string> pre_tokenizer_steps(const Json* pre_tokenizer, const std::string& label);

// Whether the last step maps text to bytes, which makes a vocabulary byte-level.
[[nodiscard]] bool is_byte_level(const std::vector<std::string>& steps);

// One of llama.cpp's pre-tokenizers.
struct PreTokenizer {
  std::string_view name;
  bool ignores_merges = false;  // a word that is a token is not split further
  // What it splits otherwise than the steps, as the rest of a sentence; "": nothing.
  std::string_view difference;
};

// llama.cpp's for the steps; `ignore_merges` is what the file says.
[[nodiscard]] std::optional<PreTokenizer> find_pre_tokenizer(const std::vector<std::string>& steps,
                                                             bool ignore_merges);

// Whether llama.cpp knows the name.
[[nodiscard]] bool is_pre_tokenizer(std::string_view name);
std::string pre_tokenizer_names();  // "bailingmoe, bloom, ..."

}  // namespace infernode
