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

// Throws Error(kOutOfMemory) where the KV caches and passes of both do not fit on a device,
// before anything is allocated. What the host holds is judged as each context is made.
void check_engine_fits(const LlamaModel& model, const LlamaModel* draft,
                       const ContextOptions& options);

}  // namespace infernode
