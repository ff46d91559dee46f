// What llama.cpp would allocate for a model and its contexts: its own placement and sizing with the
// allocations left out (`no_alloc`), hence exact for every architecture, tensor type and device,
// but for contexts too large for a dry run.
// Keeps the model's header without its vocabulary; each question loads that header again, which
// takes milliseconds. Logs nothing. Any thread may ask.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "model/gguf_file.h"
#include "model/memory_estimate.h"
#include "model/placement.h"

namespace infernode {

class LlamaDryRun {
 public:
  // For a model in all its parts, with their arrays' bytes. start_llama_runtime() must have
  // succeeded.
  LlamaDryRun(std::span<const GgufFile> parts, Placement placement);

  // Throws Error(kModelLoadFailed) if llama.cpp refuses the tensors or hyperparameters,
  // Error(kOutOfMemory) if the recurrent state of one sequence does not fit.
  WeightMemory weights() const;

  // An engine's context, without weights. Throws Error(kInvalidOption) if llama.cpp cannot make a
  // context of this shape. Exact up to the largest shape that a dry run can afford (a million
  // cells), extrapolated from there on.
  MemoryNeeded context(const EngineShape& shape) const;

 private:
  void check_state() const;

  std::string label_;
  std::string header_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t state_bytes_ = 0;  // approximately, for one sequence
  std::uint64_t vocabulary_bytes_ = 0;
  Placement placement_;
};

}  // namespace infernode
