// LoRA adapters: small differences to a model's matrices, of a file of their own.
// Judged before llama.cpp sees them, as models are; held by the one context that
// uses them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/llama_model.h"

struct llama_adapter_lora;
struct llama_context;

namespace infernode {

struct LoraOptions {
  std::string name;    // by which requests choose it
  std::string path;    // of the adapter's GGUF file
  float scale = 1.0f;  // of the difference; 0: none
};

struct LoraDeleter {
  const LlamaModel* model = nullptr;  // outlives its adapters
  void operator()(llama_adapter_lora* adapter) const;
};
using Lora = std::unique_ptr<llama_adapter_lora, LoraDeleter>;

// Throws Error: GgufFile's codes; kModelLoadFailed for a file that is no LoRA adapter
// of this model, kOutOfMemory for one that does not fit.
Lora load_lora(const LlamaModel& model, const LoraOptions& options);

// Has the context add these, each by its scale; there are as many of both.
void use_loras(llama_context& context, const std::vector<Lora>& loras, AdapterScales scales);

}  // namespace infernode
