// What a context and its model take, as llama.cpp counts it for each type of buffer, by the
// places those buffers lie in: the host and the placement's devices; and what is free there.
// Any thread may call these.
#pragma once

#include "llama.h"
#include "model/memory_estimate.h"
#include "model/placement.h"

namespace infernode {

// Of the model that the context computes.
WeightMemory weight_memory(const llama_context& context, const Placement& placement);

// KV cache and compute buffers. What llama.cpp keeps of logits on the host is not among them.
MemoryNeeded context_memory(const llama_context& context, const Placement& placement);

// What is free now on the host and on every device that is not the CPU.
MemoryRoom memory_room();

}  // namespace infernode
