// A GGUF file without a file: its header is in memory, its weights are computed when they are read.
// Random weights of a chosen shape under a real tokenizer, for tests and benchmarks. Immutable; any
// thread may read it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/gguf_source.h"
#include "model/synthetic_shape.h"
#include "model/synthetic_weights.h"

namespace infernode {

class SyntheticFile final : public GgufSource {
 public:
  // Reads the tokenizer's file. Throws GgufFile's errors for that file, and Error(kInvalidOption)
  // for an impossible shape.
  explicit SyntheticFile(SyntheticShape shape);

  const std::string& label() const override { return shape_.reference; }
  std::uint64_t size() const override { return header_.size() + data_bytes_; }
  GgufFile parse() const override;
  void read(std::uint64_t position, std::span<char> out) const override;

 private:
  struct Placed {
    std::uint64_t begin;  // first byte in the file
    std::uint64_t bytes;
    SyntheticTensor tensor;
  };

  SyntheticShape shape_;
  std::string header_;
  std::uint64_t data_bytes_ = 0;
  std::vector<Placed> tensors_;  // sorted by `begin`
};

}  // namespace infernode
