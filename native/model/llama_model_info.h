// What is known of a loaded model: values from its header and from llama.cpp. Immutable once the
// model is loaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint_file.h"
#include "core/types.h"
#include "model/gguf_file.h"
#include "model/llama_layer_places.h"
#include "model/memory_estimate.h"

struct llama_model;

namespace infernode {

struct ModelInfo {
  std::string architecture;  // "llama"
  std::string description;   // llama.cpp's description, e.g. "llama 1B Q8_0"
  std::string name;          // general.name, or ""
  std::int32_t vocabulary_size = 0;
  std::int32_t context_length = 0;  // the length the model was trained for
  std::int32_t embedding_length = 0;
  std::int32_t layer_count = 0;
  std::uint64_t parameter_count = 0;
  std::uint64_t size_bytes = 0;  // of all tensors together
  TokenId bos_token = -1;        // -1 if the model has none
  TokenId eos_token = -1;
  bool add_bos = false;
  bool has_chat_template = false;
  std::string chat_template;
  std::vector<ModelDevice> devices;  // the devices that hold weights or layers, the host last
  std::string fingerprint;           // see model_fingerprint()
  double load_milliseconds = 0;
  bool recurrent = false;                      // Mamba, RWKV: one state per sequence
  bool hybrid = false;                         // attention and recurrent layers mixed
  std::int32_t sliding_window = 0;             // positions; 0: full attention
  std::vector<std::string> rank_labels;        // of its rank head; empty if it has none
  std::optional<CheckpointReport> checkpoint;  // present if it was loaded from safetensors
};

// All but the devices, the fingerprint, the checkpoint's report and the time of the load.
ModelInfo describe_model(const llama_model& model, const GgufFile& file);

// Throws Error(kModelCorrupt) if the tokenizer adds a token that the vocabulary does not have:
// llama_tokenize asserts these when it adds special tokens.
void check_special_tokens(const llama_model& model, const GgufFile& file, const ModelInfo& info);

}  // namespace infernode
