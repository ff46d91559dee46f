// The host memory of a vocabulary's tables, llama.cpp's and infernode's, from the model's header.
// Pure function; any thread may call it.
#pragma once

#include <cstdint>

#include "model/gguf_file.h"

namespace infernode {

// 0 for a model without a vocabulary. `file` has its arrays' bytes.
std::uint64_t vocabulary_memory(const GgufFile& file);

}  // namespace infernode
