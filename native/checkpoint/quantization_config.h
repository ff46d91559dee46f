// What a checkpoint's quantization_config says, judged and in one form for all methods: from
// config.json, or from the files that older makers wrote beside it. Methods, layouts and
// options that this engine does not compute are refused by name, with what to take instead.
// It knows no tensors. Pure; any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "checkpoint/checkpoint_folder.h"

namespace infernode {

enum class QuantFormat {
  kAwqGemm,
  kAwqGemv,
  kAwqFast,      // AutoAWQ gemv_fast
  kLlmAwq,       // gemv_fast, or words of 32 bits as gemv
  kGptqV1,       // stores zero point - 1
  kGptqV2,       // stores the zero point
  kPacked,       // compressed-tensors pack-quantized
  kSignedBytes,  // compressed-tensors int-quantized
};

struct QuantConfig {
  QuantFormat format = QuantFormat::kAwqGemm;
  std::string name;       // "AWQ gemm"
  std::string label;      // the file and key it stood in, for messages
  int bits = 4;           // 4 or 8
  std::size_t group = 0;  // inputs that share a scale; 0: all of a row
  bool symmetric = false;
  bool reordered = false;            // desc_act or actorder: a g_idx must tell it is harmless
  bool dynamic_activations = false;  // were meant to be rounded to 8 bits as they come
  bool cache_scheme = false;         // of a KV cache, which is not followed
};

// nullopt: not quantized. Throws Error(kModelFormatUnsupported) and Error(kModelCorrupt).
[[nodiscard]] std::optional<QuantConfig> read_quant_config(const CheckpointFolder& folder);

}  // namespace infernode
