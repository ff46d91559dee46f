// What a GGUF header must promise before llama.cpp may load it: rules on
// hyperparameters, tokenizer and tensors without which v0.5.0 aborts the
// process, divides by zero, loops or allocates absurdly. The comment at a rule
// names the place it protects. Refuses; never repairs.
// Pure functions; any thread may call them.
#pragma once

#include <string>
#include <vector>

#include "model/gguf_file.h"

namespace infernode {

// Throws Error: kModelCorrupt naming the key or tensor that breaks a rule,
// kModelArchitectureUnsupported where the file is no text generator.
// Needs the file's array bytes.
void check_model_rules(const GgufFile& file);

// The part of check_model_rules that judges `tokenizer.*` (tokenizer_rules.cpp).
void check_tokenizer_rules(const GgufFile& file);

// The part that judges tensors alone; check_model_rules includes it.
void check_tensor_rules(const GgufFile& file);

// The paths of all parts of a model split over several files, in order; just
// `path` for an ordinary file. Throws Error(kModelCorrupt) where the parts'
// numbers and the file's name disagree.
std::vector<std::string> model_part_paths(const GgufFile& first, const std::string& path);

// Throws Error(kModelCorrupt) unless `part` says it is number `index` (from 0)
// of its model.
void check_part_number(const GgufFile& part, std::size_t index);

// Throws Error(kModelCorrupt): "'<path>' is damaged: <what>; ...".
[[noreturn]] void refuse_model(const GgufFile& file, const std::string& what);

}  // namespace infernode
