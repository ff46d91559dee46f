// A context after a pass that llama.cpp aborted midway: no longer usable, not safe to free. Any
// thread may leak it.
#pragma once

#include <memory>

#include "model/llama_handles.h"
#include "model/llama_model.h"

namespace infernode {

// A context that is never used again, and what it has pointers to.
struct LostContext {
  std::shared_ptr<const LlamaModel> model;
  std::shared_ptr<const void> thread_pools;
  ContextHandle context;
};

// Keeps it until the process ends, neither used nor freed: threads may still compute with it, and
// freeing memory of a lost device ends the process.
void leak(LostContext lost);

}  // namespace infernode
