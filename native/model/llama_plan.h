// The memory that engines of several shapes would need, from a model's headers alone: the dry run
// that also checks a load (llama_dry_run), on the CPU. Any thread; blocks for some milliseconds per
// shape.
#pragma once

#include <span>
#include <vector>

#include "model/llama_model.h"
#include "model/memory_estimate.h"

namespace infernode {

// In the order of `shapes`. start_llama_runtime() must have succeeded. Throws the errors of
// LlamaModel::load() that headers can cause, and Error(kInvalidOption) for a shape.
std::vector<MemoryNeeded> plan_memory(const LoadOptions& options,
                                      std::span<const EngineShape> shapes);

}  // namespace infernode
