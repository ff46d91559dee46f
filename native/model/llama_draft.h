// A model that guesses ahead for another: whether it may, and the context it
// guesses in. Pure functions but for making the context; any thread may call them.
#pragma once

#include <memory>

#include "model/llama_backend.h"
#include "model/llama_model.h"

namespace infernode {

// Throws Error(kInvalidOption) that names the first difference of their vocabularies:
// a token must be the same text, of the same kind, in both.
void check_same_vocabulary(const LlamaModel& model, const LlamaModel& draft);

// The context of a draft model beside an engine's: a sequence for each request that
// may be guessed for, as long as both models go.
ContextOptions draft_context(const LlamaModel& draft, const ContextOptions& engine);

// The draft's backend, which computes with the threads of the engine's: they never
// run at once. Throws Error(kInvalidOption) where either model cannot take back what
// it has computed, Error(kOutOfMemory).
std::unique_ptr<LlamaBackend> make_draft(std::shared_ptr<const LlamaModel> draft,
                                         const LlamaBackend& engine, const LlamaModel& model,
                                         const ContextOptions& options);

}  // namespace infernode
