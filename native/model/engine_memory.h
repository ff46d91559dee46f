// The memory of a whole engine: model, draft model, adapters, host cache. Any thread may ask; it
// takes a few milliseconds and reads the adapters' headers.
#pragma once

#include <cstdint>

#include "model/llama_backend.h"
#include "model/llama_model.h"

namespace infernode {

// For `options` on `model`, with `draft` as its draft model (nullptr: none). Throws
// Error(kInvalidOption) if llama.cpp cannot make a context with these options, and GgufFile's
// errors for adapters.
MemoryNeeded engine_memory(const LlamaModel& model, const LlamaModel* draft,
                           const ContextOptions& options);

// Throws Error(kOutOfMemory) if the KV caches and compute buffers of both models and the LoRA
// adapters do not fit on a device, before anything is allocated. Host memory is checked when each
// context is created.
void check_engine_fits(const LlamaModel& model, const LlamaModel* draft,
                       const ContextOptions& options);

}  // namespace infernode
