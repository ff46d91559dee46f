// What llama.cpp would allocate for a model and its contexts: its own placing and sizing,
// with the allocations left out (`no_alloc`), hence exact for every architecture, tensor
// type and device. Keeps the model's header without its vocabulary; each question loads
// that outline anew, which takes milliseconds. Logs nothing. Any thread may ask.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "llama.h"
#include "model/gguf_file.h"
#include "model/memory_estimate.h"
#include "model/placement.h"

namespace infernode {

// llama.cpp's parameters of a load, with a placement in them: owns the lists they point to.
class PlacedParams {
 public:
  // Throws Error(kInvalidOption) for a device that llama_devices() does not name.
  explicit PlacedParams(const Placement& placement);
  PlacedParams(const PlacedParams&) = delete;
  PlacedParams& operator=(const PlacedParams&) = delete;

  llama_model_params values;

 private:
  std::vector<ggml_backend_dev_t> devices_;  // ends with a null pointer
  std::vector<float> tensor_split_;          // of llama_max_devices()
};

class LlamaDryRun {
 public:
  // Of all parts of a model, with their arrays' bytes. start_llama_runtime() must have
  // succeeded.
  LlamaDryRun(std::span<const GgufFile> parts, Placement placement);

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
  Placement placement_;
};

// As LlamaModel's errors: what llama.cpp said for a failed load.
[[noreturn]] void refuse_load(const std::string& label, std::span<const std::string> errors);

}  // namespace infernode
