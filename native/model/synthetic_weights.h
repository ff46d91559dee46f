// Random weights as bytes of a tensor, computed where they are asked for: each
// block of 32 depends on seed, tensor and place alone, so any part can be had
// in any order and nothing is kept. Pure; any thread may call it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/gguf_file.h"

namespace infernode {

// Evenly distributed from center - spread to center + spread; quantized
// types have no center.
struct SyntheticTensor {
  std::string name;
  std::vector<std::uint64_t> shape;  // ggml order: the row length first
  const GgufTensorType* type;
  float center = 0;
  float spread = 0;

  std::uint64_t bytes() const;
};

// The type of a name that weights can be made in ("f32", "f16", "q8_0",
// "q4_0", "q4_1"); nullptr for any other.
const GgufTensorType* synthetic_type(std::string_view name);

// The tensor's bytes from `offset` on, as many as `out` takes.
void write_weights(const SyntheticTensor& tensor, std::uint64_t seed, std::uint64_t offset,
                   std::span<char> out);

}  // namespace infernode
