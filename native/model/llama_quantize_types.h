// The types that weights can be quantized to: those that llama.cpp makes without an importance
// matrix. Stateless; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace infernode {

// llama.cpp's names in lower case: "q4_k_m".
std::vector<std::string> quantize_types();

// The llama_ftype of this name, in whatever case. Throws Error(kInvalidOption) with the list of
// types if it is none of them.
std::int32_t quantize_type(std::string_view name);

std::string lower_case(std::string_view text);

}  // namespace infernode
