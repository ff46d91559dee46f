// The error for a failed load, from llama.cpp's reason. Pure functions.
#pragma once

#include <span>
#include <string>

#include "core/types.h"

namespace infernode {

// Throws Error: kOutOfMemory if one of the error lines reports a lack of memory, else
// kModelLoadFailed or, for an option that the model does not allow, kInvalidOption.
[[noreturn]] void refuse_load(const std::string& label, std::span<const std::string> errors);

// A model that did not fit into memory, for llama.cpp's `reason`.
Error did_not_fit(const std::string& label, const std::string& reason);

}  // namespace infernode
