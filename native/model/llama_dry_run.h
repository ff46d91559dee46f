// What llama.cpp would allocate for a model and its contexts: its own placing and sizing,
// with the allocations left out (`no_alloc`), hence exact for every architecture, tensor
// type and device. Keeps the model's header without its vocabulary; each question loads
// that outline anew, which takes milliseconds. Logs nothing. Any thread may ask.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "llama.h"
#include "model/gguf_file.h"
#include "model/memory_estimate.h"

namespace infernode {

// Where llama.cpp is to put the weights. `gpu_layers` -1: all.
llama_model_params placed_params(std::int32_t gpu_layers);

class LlamaDryRun {
 public:
  // Of all parts of a model, with their arrays' bytes. start_llama_runtime() must have
  // succeeded.
  LlamaDryRun(std::span<const GgufFile> parts, std::int32_t gpu_layers);

  // Throws Error(kModelLoadFailed) where llama.cpp refuses the tensors or hyperparameters,
  // Error(kOutOfMemory) where the recurrent state of one sequence does not fit.
  WeightMemory weights() const;

  // An engine's context, without weights. Throws Error(kInvalidOption) where llama.cpp makes
  // no context of this shape. Exact up to the shapes that a dry run can afford (a million
  // cells), scaled up from those beyond.
  MemoryNeeded context(const EngineShape& shape) const;

 private:
  void check_state() const;

  std::string label_;
  std::string header_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t state_bytes_ = 0;  // about, of one sequence
  std::int32_t gpu_layers_ = 0;
};

// As LlamaModel's errors: what llama.cpp said for a failed load.
[[noreturn]] void refuse_load(const std::string& label, std::span<const std::string> errors);

}  // namespace infernode
