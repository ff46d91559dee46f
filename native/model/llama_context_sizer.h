// The memory of one engine's context, measured by making contexts without weights (a dry run). Such
// a context still allocates what llama.cpp does not count: a record per cell, the output logits,
// recurrent states. That bounds the shapes that can be measured; larger ones are extrapolated. One
// thread.
#pragma once

#include "llama.h"
#include "model/memory_estimate.h"
#include "model/placement.h"

namespace infernode {

// A context of this shape, without weights, of a model that was loaded without them. Throws
// Error(kInvalidOption) if llama.cpp cannot make one.
MemoryNeeded size_context(llama_model& model, const Placement& placement, const EngineShape& shape);

}  // namespace infernode
