// How an architecture of Hugging Face's transformers maps to one of llama.cpp's, as data: one table
// per architecture lists its tensors, their shapes, and the defaults of its config. A new
// architecture is a new table. Constants only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace infernode {

// A tensor's required length, in terms of the model's dimensions.
enum class Extent : std::uint8_t {
  kNone,
  kWidth,
  kHead,            // of one attention head
  kQueries,         // heads * head
  kKeys,            // KV heads * head
  kFusedAttention,  // queries, keys and values stacked
  kFeedForward,
  kTwoFeedForward,  // gate and up stacked
};

// llama.cpp's "llama" rotates neighbouring rows of a head, transformers rows half a head apart.
enum class RowOrder : std::uint8_t { kStored, kInterleavedHeads };

enum class BiasRule : std::uint8_t {
  kNone,
  kAlways,
  kAttention,    // only if the config's attention_bias is true
  kFeedForward,  // only if its mlp_bias is true
};

// One tensor of each layer. Linear weights may be quantized; norms are vectors.
struct TensorRule {
  std::string_view from;  // below "model.layers.N.", without ".weight"
  std::string_view to;    // below "blk.N."
  Extent rows = Extent::kNone;
  Extent columns = Extent::kNone;  // kNone: a norm of `rows` numbers
  RowOrder order = RowOrder::kStored;
  BiasRule bias = BiasRule::kNone;
};

// The defaults of transformers for keys missing in config.json.
struct ConfigDefaults {
  std::uint32_t width = 0;
  std::uint32_t feed_forward = 0;
  std::uint32_t layers = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;  // 0: as many as heads
  std::uint32_t head = 0;      // 0: width / heads
  std::uint32_t context = 0;
  std::uint32_t window = 0;  // 0: none
  double epsilon = 1e-6;
  double rope_base = 10000;
  bool tied = false;
};

enum class WindowRule : std::uint8_t {
  kNone,      // the architecture has no sliding window
  kWindow,    // sliding_window, if it is a number: contexts are limited to it
  kSwitched,  // the same if use_sliding_window is true
  kLayers,    // llama.cpp computes it; layer_types or sliding_window_pattern say for which layers
};

// The RoPE variants that llama.cpp supports for the architecture, besides plain, linear and yarn.
enum class RopeRule : std::uint8_t {
  kPlain,
  kLlama3,     // frequency factors: llama3, and longrope
  kLongRope,   // longrope
  kPerWindow,  // separate bases for full and sliding-window layers; no yarn
};

struct Mapping {
  std::string_view name;                      // GGUF's
  std::string_view model_type;                // config.json's
  std::span<const std::string_view> classes;  // of `architectures`
  std::span<const TensorRule> layer;
  ConfigDefaults defaults;
  std::string_view activation_key = "hidden_act";
  std::string_view activation = "silu";
  WindowRule window = WindowRule::kNone;
  RopeRule rope = RopeRule::kPlain;
  // The checkpoint stores norm weights without the 1 that llama.cpp's include.
  bool norms_plus_one = false;
  bool queries_are_width = false;  // llama.cpp assumes heads * head == width
  bool biases_chosen = false;      // attention_bias and mlp_bias are supported
  bool cuts_vocabulary = false;    // embedding rows beyond the tokenizer's are dropped
};

std::span<const Mapping> mappings();

}  // namespace infernode
