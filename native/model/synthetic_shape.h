// The shape of a model with random weights: what is to be made, in numbers
// that were judged before (src/models/synthetic.ts). A value, for any thread.
#pragma once

#include <cstdint>
#include <string>

namespace infernode {

struct SyntheticShape {
  std::string reference;  // what messages call it: "synthetic:llama?layers=8"
  std::string tokenizer;  // path of the GGUF file whose tokenizer it gets
  std::string architecture = "llama";
  std::string type = "q8_0";  // of its matrices: f32, f16, q8_0, q4_0, q4_1
  std::uint64_t seed = 1;     // of its weights
  std::int32_t layers = 4;    // 2 or more where kinds of layers are mixed
  std::int32_t width = 256;   // of the embedding; a multiple of heads
  std::int32_t feed_forward = 768;
  std::int32_t heads = 4;  // a multiple of kv_heads
  std::int32_t kv_heads = 2;
  std::int32_t vocabulary = 0;  // tokens, the tokenizer's own or more; 0: its own
  std::int32_t context_length = 4096;
  std::int32_t window = 256;  // positions a sliding layer sees (gemma3)
  std::int32_t experts = 8;   // (qwen3moe)
  std::int32_t experts_used = 2;
  std::int32_t state = 16;  // numbers of state per channel (mamba, jamba)
  std::int32_t labels = 0;  // of a rank head (qwen3); 0: none
};

}  // namespace infernode
