// Requirements on a GGUF header without which llama.cpp v0.5.0 aborts the process, divides by zero,
// loops or allocates absurd amounts: rules on hyperparameters, tokenizer and tensors. The comment
// at each rule names the code it protects. Refuses; never repairs. Pure functions; any thread may
// call them.
#pragma once

#include <string>
#include <vector>

#include "model/gguf_file.h"

namespace infernode {

// Throws Error: kModelCorrupt naming the key or tensor that breaks a rule,
// kModelArchitectureUnsupported if the file is not a text generator. Needs the file's array bytes.
void check_model_rules(const GgufFile& file);

// The part of check_model_rules for `tokenizer.*` (tokenizer_rules.cpp).
void check_tokenizer_rules(const GgufFile& file);

// The part for tensors alone; check_model_rules includes it.
void check_tensor_rules(const GgufFile& file);

// The paths of all parts of a split model, in order; `path` alone for an ordinary file. Throws
// Error(kModelCorrupt) if the part numbers and the file's name disagree, and
// Error(kModelFormatUnsupported) of a later part, which names the first.
std::vector<std::string> model_part_paths(const GgufFile& first, const std::string& path);

// Throws Error(kModelCorrupt) unless `part` declares itself number `index` (from 0) of its model.
void check_part_number(const GgufFile& part, std::size_t index);

// Throws Error(kModelCorrupt): "'<path>' is damaged: <what>; ...".
[[noreturn]] void refuse_model(const GgufFile& file, const std::string& what);

}  // namespace infernode
