// The shape of a model with random weights, in numbers that were validated before
// (src/models/synthetic.ts). A value, for any thread.
#pragma once

#include <cstdint>
#include <string>

namespace infernode {

struct SyntheticShape {
  std::string reference;  // its name in messages: "synthetic:llama?layers=8"
  std::string tokenizer;  // path of the GGUF file whose tokenizer it uses
  std::string architecture = "llama";
  std::string type = "q8_0";  // type of its matrices: f32, f16, q8_0, q4_0, q4_1
  std::uint64_t seed = 1;     // seed of its weights
  std::int32_t layers = 4;    // at least 2 where kinds of layers are mixed
  std::int32_t width = 256;   // embedding width; a multiple of heads
  std::int32_t feed_forward = 768;
  std::int32_t heads = 4;  // a multiple of kv_heads
  std::int32_t kv_heads = 2;
  std::int32_t vocabulary = 0;  // tokens, at least the tokenizer's; 0: as many as the tokenizer has
  std::int32_t context_length = 4096;
  std::int32_t window = 256;  // positions that a sliding-window layer sees (gemma3)
  std::int32_t experts = 8;   // experts (qwen3moe)
  std::int32_t experts_used = 2;
  std::int32_t state = 16;  // state values per channel (mamba, jamba)
  std::int32_t labels = 0;  // labels of a rank head (qwen3); 0: none
};

}  // namespace infernode
