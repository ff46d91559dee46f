// Creates llama.cpp's contexts: translates an engine's shape into parameters and llama.cpp's
// refusals into sentences. Pure functions except for the creation; any thread may call them.
#pragma once

#include <string>

#include "llama.h"
#include "model/llama_handles.h"
#include "model/memory_estimate.h"

namespace infernode {

llama_context_params context_params(const EngineShape& shape, std::int32_t threads);

// A context, or the reason why llama.cpp did not create one.
struct MadeContext {
  ContextHandle context;
  std::string refusal;
  bool out_of_memory = false;
};
MadeContext make_context(llama_model& model, const llama_context_params& params);

// Throws Error(kOutOfMemory), or Error(kInvalidOption) if the options contradict each other for
// this model.
[[noreturn]] void refuse_context(const MadeContext& made);

}  // namespace infernode
