// The model architectures that the llama.cpp of this build knows by name.
#pragma once

#include <string_view>

namespace infernode {

// Whether llama.cpp has an architecture of this name, e.g. "llama".
[[nodiscard]] bool known_architecture(std::string_view name);

}  // namespace infernode
