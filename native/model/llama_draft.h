// A draft model: whether it can draft for a target model, and the context it computes in. Pure
// functions except for creating the context; any thread may call them.
#pragma once

#include <memory>

#include "model/llama_backend.h"
#include "model/llama_model.h"

namespace infernode {

// Throws Error(kInvalidOption) that names the first difference between their vocabularies: a token
// must have the same text and the same kind in both.
void check_same_vocabulary(const LlamaModel& model, const LlamaModel& draft);

// The shape of the draft model's context beside an engine's: one sequence for each request that may
// be drafted for, as long as both models allow.
ContextOptions draft_context(const LlamaModel& draft, const ContextOptions& engine);

// The draft model's backend, which computes with the threads of the engine's backend: they never
// run at the same time. Throws Error(kInvalidOption) if either model cannot truncate its cache,
// Error(kOutOfMemory).
std::unique_ptr<LlamaBackend> make_draft(std::shared_ptr<const LlamaModel> draft,
                                         const LlamaBackend& engine, const LlamaModel& model,
                                         const ContextOptions& options);

}  // namespace infernode
