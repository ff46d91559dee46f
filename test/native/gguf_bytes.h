// Builds GGUF files in memory for tests: any keys and tensors, right or
// wrong. It checks nothing, so that broken files are as easy as good ones.
// tiny_llama() is the smallest model llama.cpp loads: one layer, 32 wide,
// 261 tokens (every byte and five words).
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

struct GgufBytes {
  std::uint32_t version = 3;
  std::string magic = "GGUF";
  std::uint64_t alignment = 32;
  std::uint64_t extra_keys = 0;  // claimed beyond those there are
  std::uint64_t extra_tensors = 0;

  struct Key {
    std::string name;
    std::string typed_value;  // type and value as they lie in the file
  };
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    std::uint32_t type;
    std::uint64_t bytes;
  };
  std::vector<Key> keys;
  std::vector<Tensor> tensors;

  template <typename Number>
  static std::string number(Number value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  }
  static std::string text(std::string_view value) {
    return number<std::uint64_t>(value.size()) + std::string(value);
  }

  GgufBytes& set(const std::string& name, const std::string& typed_value) {
    for (Key& key : keys) {
      if (key.name == name) return key.typed_value = typed_value, *this;
    }
    keys.push_back({name, typed_value});
    return *this;
  }
  GgufBytes& remove(const std::string& name) {
    std::erase_if(keys, [&](const Key& key) { return key.name == name; });
    return *this;
  }
  GgufBytes& u32(const std::string& name, std::uint32_t value) {
    return set(name, number<std::uint32_t>(4) + number(value));
  }
  GgufBytes& u16(const std::string& name, std::uint16_t value) {
    return set(name, number<std::uint32_t>(2) + number(value));
  }
  GgufBytes& f32(const std::string& name, float value) {
    return set(name, number<std::uint32_t>(6) + number(value));
  }
  GgufBytes& flag(const std::string& name, bool value) {
    return set(name, number<std::uint32_t>(7) + number<std::uint8_t>(value));
  }
  GgufBytes& string(const std::string& name, std::string_view value) {
    return set(name, number<std::uint32_t>(8) + text(value));
  }
  GgufBytes& strings(const std::string& name, const std::vector<std::string>& values) {
    std::string bytes =
        number<std::uint32_t>(9) + number<std::uint32_t>(8) + number<std::uint64_t>(values.size());
    for (const std::string& value : values) bytes += text(value);
    return set(name, bytes);
  }
  template <typename Number>
  GgufBytes& numbers(const std::string& name, std::uint32_t type,
                     const std::vector<Number>& values) {
    std::string bytes =
        number<std::uint32_t>(9) + number(type) + number<std::uint64_t>(values.size());
    for (const Number value : values) bytes += number(value);
    return set(name, bytes);
  }
  GgufBytes& tensor_f32(const std::string& name, const std::vector<std::uint64_t>& shape) {
    std::uint64_t bytes = 4;
    for (const std::uint64_t length : shape) bytes *= length;
    tensors.push_back({name, shape, 0, bytes});
    return *this;
  }

  std::string header() const {
    std::string bytes = magic + number(version) +
                        number<std::uint64_t>(tensors.size() + extra_tensors) +
                        number<std::uint64_t>(keys.size() + extra_keys);
    for (const Key& key : keys) bytes += text(key.name) + key.typed_value;
    std::uint64_t offset = 0;
    for (const Tensor& tensor : tensors) {
      bytes += text(tensor.name) + number(static_cast<std::uint32_t>(tensor.shape.size()));
      for (const std::uint64_t length : tensor.shape) bytes += number(length);
      bytes += number(tensor.type) + number(offset);
      offset += padded(tensor.bytes);
    }
    return bytes;
  }
  // Weights are zeros, but for a pattern that tells tensors apart.
  std::string file() const {
    std::string bytes = header();
    bytes.resize(padded(bytes.size()));
    for (const Tensor& tensor : tensors) {
      bytes.resize(bytes.size() + padded(tensor.bytes));
    }
    return bytes;
  }

 private:
  std::uint64_t padded(std::uint64_t bytes) const {
    return (bytes + alignment - 1) / alignment * alignment;
  }
};

inline GgufBytes tiny_llama() {
  GgufBytes file;
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>", "\xe2\x96\x81the", "\xe2\x96\x81"};
  std::vector<std::int32_t> types = {2, 3, 3, 1, 1};
  std::vector<float> scores = {0, 0, 0, -1, -2};
  for (int byte = 0; byte < 256; ++byte) {
    const char* digits = "0123456789ABCDEF";
    tokens.push_back(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">");
    types.push_back(6);
    scores.push_back(0);
  }
  file.string("general.architecture", "llama").string("general.name", "tiny");
  file.u32("llama.context_length", 64)
      .u32("llama.embedding_length", 32)
      .u32("llama.block_count", 1);
  file.u32("llama.feed_forward_length", 64).u32("llama.attention.head_count", 2);
  file.u32("llama.attention.head_count_kv", 1).f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  file.u32("llama.rope.dimension_count", 16);
  file.string("tokenizer.ggml.model", "llama").strings("tokenizer.ggml.tokens", tokens);
  file.numbers("tokenizer.ggml.token_type", 5, types).numbers("tokenizer.ggml.scores", 6, scores);
  file.u32("tokenizer.ggml.bos_token_id", 1).u32("tokenizer.ggml.eos_token_id", 2);
  file.tensor_f32("token_embd.weight", {32, tokens.size()}).tensor_f32("output_norm.weight", {32});
  file.tensor_f32("blk.0.attn_norm.weight", {32}).tensor_f32("blk.0.attn_q.weight", {32, 32});
  file.tensor_f32("blk.0.attn_k.weight", {32, 16}).tensor_f32("blk.0.attn_v.weight", {32, 16});
  file.tensor_f32("blk.0.attn_output.weight", {32, 32}).tensor_f32("blk.0.ffn_norm.weight", {32});
  file.tensor_f32("blk.0.ffn_gate.weight", {32, 64}).tensor_f32("blk.0.ffn_up.weight", {32, 64});
  file.tensor_f32("blk.0.ffn_down.weight", {64, 32});
  return file;
}
