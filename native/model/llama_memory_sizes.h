// The memory of a context and its model as llama.cpp counts it per buffer type, summed by place:
// the host and the placement's devices; and the memory that is free there. Any thread may call
// these functions.
#pragma once

#include "llama.h"
#include "model/memory_estimate.h"
#include "model/placement.h"

namespace infernode {

// Weights of the model that the context computes.
WeightMemory weight_memory(const llama_context& context, const Placement& placement);

// KV cache and compute buffers. llama.cpp's host copy of logits is not included.
MemoryNeeded context_memory(const llama_context& context, const Placement& placement);

// Memory that is free at present on the host and on every device other than the CPU.
MemoryRoom memory_room();

}  // namespace infernode
