// A checkpoint's quantization_config, validated and normalised for all methods: from config.json,
// or from the separate files of older makers. Unsupported methods, layouts and options are refused
// by name, with what to use instead. Does not look at tensors. Pure; any thread.
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
  kLlmAwq,       // gemv_fast, or 32-bit words as gemv
  kGptqV1,       // stores zero point - 1
  kGptqV2,       // stores the zero point
  kPacked,       // compressed-tensors pack-quantized
  kSignedBytes,  // compressed-tensors int-quantized
};

struct QuantConfig {
  QuantFormat format = QuantFormat::kAwqGemm;
  std::string name;       // "AWQ gemm"
  std::string label;      // file and key it was read from, for messages
  int bits = 4;           // 4 or 8
  std::size_t group = 0;  // inputs that share a scale; 0: the whole row
  bool symmetric = false;
  bool reordered = false;  // desc_act or actorder: g_idx must show that inputs are not reordered
  bool dynamic_activations = false;  // activations were meant to be quantized to 8 bits at run time
  bool cache_scheme = false;         // a scheme for the KV cache, which is ignored
};

// nullopt: not quantized. Throws Error(kModelFormatUnsupported) and Error(kModelCorrupt).
[[nodiscard]] std::optional<QuantConfig> read_quant_config(const CheckpointFolder& folder);

}  // namespace infernode
