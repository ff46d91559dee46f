// Creates the context of an engine, after checking that the free memory suffices for it. Pure
// functions except for the creation; any thread may call them.
#pragma once

#include "model/context_options.h"
#include "model/llama_handles.h"
#include "model/llama_model.h"

namespace infernode {

// Throws Error(kOutOfMemory) if a context with these options does not fit into memory. Linux grants
// memory it does not have and kills the process later, and a device's allocator fails after seconds
// without numbers: so the sums are checked first.
void check_context_room(const LlamaModel& model, const ContextOptions& options);

// Throws Error(kOutOfMemory) or Error(kInvalidOption).
ContextHandle make_engine_context(const LlamaModel& model, const ContextOptions& options);

}  // namespace infernode
