// BackendFacts of a model's layers where they lie. ggml has no call that tells them: those of
// the CPU are its kernels' (and ours, native/cpu), those of devices what their kernels have in
// common.
#pragma once

#include "core/backend.h"
#include "model/llama_model.h"

namespace infernode {

BackendFacts backend_facts(const LlamaModel& model, bool flash_attention);

// Throws Error(kInvalidOption) that names the devices, where `deterministic` cannot be held.
void check_repeatable(const BackendFacts& facts);

}  // namespace infernode
