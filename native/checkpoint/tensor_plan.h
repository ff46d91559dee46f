// Which tensors the GGUF file of a checkpoint has, and where each comes from: names, shapes and
// presence checked against the architecture's table. Every stored tensor must be used or known to
// be superfluous; any other is an error. Reads headers only; any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/model_config.h"
#include "checkpoint/quantization.h"
#include "checkpoint/quantized_matrix.h"

namespace infernode {

enum class TensorRole { kNorm, kBias, kRopeFactors, kLinear, kEmbedding, kHead };

struct PlannedTensor {
  std::string name;  // its name in the GGUF file
  TensorRole role = TensorRole::kLinear;
  std::uint64_t rows = 1;
  std::uint64_t columns = 0;
  // One of these three.
  const StoredTensor* plain = nullptr;
  std::unique_ptr<const QuantizedMatrix> quantized;
  std::vector<float> numbers;  // computed values: RoPE factors

  std::string source;           // the stored tensor or module, for messages
  std::string scales;           // file and tensor of a quantized weight's scales, for messages
  std::uint32_t head_rows = 0;  // not 0: rows of each head are interleaved as llama.cpp requires
  bool plus_one = false;
};

struct TensorPlan {
  std::vector<PlannedTensor> tensors;
  std::vector<std::string> notes;
};

// `quantization` may be nullptr. Both must outlive the plan. The embeddings have as many rows as
// are stored. Throws Error(kModelCorrupt), which names file and tensor.
TensorPlan plan_tensors(const CheckpointFolder& folder, const ModelConfig& config,
                        const Quantization* quantization);

}  // namespace infernode
