// A GGUF file that is nowhere: its header in memory, its weights computed
// where they are read. Random weights of a chosen shape under a real
// tokenizer, for tests and benchmarks. Immutable; any thread may read it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/gguf_file.h"
#include "model/synthetic_shape.h"
#include "model/synthetic_weights.h"
#include "model/virtual_file.h"

namespace infernode {

class SyntheticFile {
 public:
  // Reads the tokenizer's file. Throws GgufFile's errors for that one, and
  // Error(kInvalidOption) for a shape that cannot be made.
  explicit SyntheticFile(SyntheticShape shape);

  const std::string& label() const { return shape_.reference; }
  std::uint64_t size() const { return header_.size() + data_bytes_; }
  // Its header, judged like any file's.
  GgufFile parse() const;

  // Bytes from `position` on, all of them inside the file.
  void read(std::uint64_t position, std::span<char> out) const;

 private:
  struct Placed {
    std::uint64_t begin;  // in the file
    SyntheticTensor tensor;
  };

  SyntheticShape shape_;
  std::string header_;
  std::uint64_t data_bytes_ = 0;
  std::vector<Placed> tensors_;  // by their beginnings
};

// The file as a stream to read from. Throws Error(kModelLoadFailed) where the
// system gives none.
FileHandle open_synthetic(const std::shared_ptr<const SyntheticFile>& file);

}  // namespace infernode
