// BackendFacts for the devices that hold a model's layers. ggml has no call that returns them: for
// the CPU they follow from its kernels (and ours, native/cpu); for other devices they are what all
// of ggml's kernels have in common.
#pragma once

#include "core/backend.h"
#include "model/llama_model.h"

namespace infernode {

BackendFacts backend_facts(const LlamaModel& model, bool flash_attention);

// Whether calls on each device of the model return before it has computed.
[[nodiscard]] bool all_asynchronous(const LlamaModel& model);

}  // namespace infernode
