// BackendFacts for the place where a model's layers are. ggml has no call that returns them: those
// of the CPU are known of its kernels (and ours, native/cpu), those of devices are what their
// kernels have in common.
#pragma once

#include "core/backend.h"
#include "model/llama_model.h"

namespace infernode {

BackendFacts backend_facts(const LlamaModel& model, bool flash_attention);

// Whether calls on each device of the model return before it has computed.
[[nodiscard]] bool all_asynchronous(const LlamaModel& model);

// Throws Error(kInvalidOption) that names the devices if they cannot guarantee `deterministic`.
void check_repeatable(const BackendFacts& facts);

}  // namespace infernode
