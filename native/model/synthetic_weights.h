// Random weights as the bytes of a tensor, computed on demand: each block of 32 depends only on
// seed, tensor and index, so any part can be read in any order and nothing is stored. Pure; any
// thread may call it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/gguf_file.h"

namespace infernode {

// Uniformly distributed from center - spread to center + spread; quantized types have no center.
struct SyntheticTensor {
  std::string name;
  std::vector<std::uint64_t> shape;  // in ggml's order: row length first
  const GgufTensorType* type;
  float center = 0;
  float spread = 0;

  std::uint64_t bytes() const;
};

// The type of this name, if weights can be generated in it ("f32", "f16", "q8_0", "q4_0", "q4_1");
// nullptr otherwise.
const GgufTensorType* synthetic_type(std::string_view name);

// The tensor's bytes from `offset` on; fills `out`.
void write_weights(const SyntheticTensor& tensor, std::uint64_t seed, std::uint64_t offset,
                   std::span<char> out);

}  // namespace infernode
