// LoRA adapters: low-rank differences to a model's matrices, each in a GGUF file of its own.
// Validated before llama.cpp sees them, like models; owned by the one context that uses them.
// Loading and freeing hold a lock of the model, so any thread may do either; only the thread that
// computes with the context sets its adapters.
#pragma once

#include <memory>
#include <vector>

#include "model/context_options.h"
#include "model/llama_model.h"

struct llama_adapter_lora;
struct llama_context;

namespace infernode {

struct LoraDeleter {
  const LlamaModel* model = nullptr;  // outlives its adapters
  void operator()(llama_adapter_lora* adapter) const;
};
using Lora = std::unique_ptr<llama_adapter_lora, LoraDeleter>;

// Throws Error: GgufFile's codes; kModelLoadFailed for a file that is not a LoRA adapter of this
// model, kOutOfMemory for one that does not fit.
Lora load_lora(const LlamaModel& model, const LoraOptions& options);

// Sets the context's adapters, each with its scale; both lists have the same length.
void use_loras(llama_context& context, const std::vector<Lora>& loras, AdapterScales scales);

}  // namespace infernode
