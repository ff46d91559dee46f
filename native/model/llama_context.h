// Makes llama.cpp's contexts: an engine's shape as its parameters, its refusals as
// sentences. Pure functions but for making; any thread may call them.
#pragma once

#include <memory>
#include <string>

#include "llama.h"
#include "model/memory_estimate.h"

namespace infernode {

struct ContextDeleter {
  void operator()(llama_context* context) const { llama_free(context); }
};
using ContextHandle = std::unique_ptr<llama_context, ContextDeleter>;

// Rows of one pass at most.
std::int32_t most_rows(const EngineShape& shape);
// Rows of one pass that may have logits; each has room for a whole vocabulary.
std::int32_t most_outputs(const EngineShape& shape);

llama_context_params context_params(const EngineShape& shape, std::int32_t threads);

// A context, or why llama.cpp made none.
struct MadeContext {
  ContextHandle context;
  std::string refusal;
  bool out_of_memory = false;
};
MadeContext make_context(llama_model& model, const llama_context_params& params);

// Throws Error(kOutOfMemory), or Error(kInvalidOption): these options do not go together in
// this model.
[[noreturn]] void refuse_context(const MadeContext& made);

}  // namespace infernode
