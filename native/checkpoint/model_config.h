// A checkpoint's config.json, validated before llama.cpp sees any of it: architecture, dimensions,
// position encoding. Values on which llama.cpp would abort, or which it would compute differently
// from transformers, are refused by file and key. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/mapping.h"
#include "model/gguf_writer.h"

namespace infernode {

enum class RopeScaling { kNone, kLinear, kYarn, kLongRope };

struct RopeConfig {
  double base = 10000;
  std::optional<double> sliding_base;  // of sliding-window layers
  std::uint32_t rotated = 0;           // rotated dimensions of a head
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;                               // of linear and yarn
  double attention_factor = 1;                     // as llama.cpp defines it
  std::uint32_t original_context = 0;              // 0: the context
  std::vector<float> factors;                      // llama3's, per pair: rope_freqs
  std::vector<float> short_factors, long_factors;  // longrope's
};

struct ModelConfig {
  const Mapping* mapping = nullptr;
  std::uint32_t width = 0;
  std::uint32_t feed_forward = 0;
  std::uint32_t layers = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head = 0;        // numbers of one
  std::uint64_t vocabulary = 0;  // 0: not given
  std::uint32_t context = 0;
  double epsilon = 0;
  bool tied = false;
  bool attention_bias = false;
  bool feed_forward_bias = false;
  std::uint32_t window = 0;          // of sliding-window layers that llama.cpp computes; 0: none
  std::vector<std::int32_t> slides;  // 1 for each sliding-window layer
  double final_softcap = 0;          // 0: none
  RopeConfig rope;
  std::vector<std::string> notes;  // messages for the user

  // A tensor's dimensions by its rule.
  std::uint64_t length(Extent extent) const;
};

// Throws Error: kModelArchitectureUnsupported, kModelFormatUnsupported or kModelCorrupt.
ModelConfig read_model_config(const CheckpointFolder& folder);

// The values that llama.cpp calls hyperparameters, except for the vocabulary's size.
void write_hyperparameters(const ModelConfig& config, GgufWriter& header);

}  // namespace infernode
