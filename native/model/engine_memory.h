// What a whole engine takes: its model, its draft model, its adapters, its host cache.
// Any thread may ask; it takes a few milliseconds and reads the adapters' headers.
#pragma once

#include <cstdint>

#include "model/llama_backend.h"
#include "model/llama_model.h"

namespace infernode {

// Of `options` on `model`, with `draft` guessing for it; nullptr: nobody. Throws
// Error(kInvalidOption) where llama.cpp makes no context of these options, GgufFile's
// errors for adapters.
MemoryNeeded engine_memory(const LlamaModel& model, const LlamaModel* draft,
                           const ContextOptions& options);

}  // namespace infernode
