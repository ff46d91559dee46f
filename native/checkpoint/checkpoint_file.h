// A Hugging Face checkpoint as a virtual GGUF file: its header is in memory, its tensors are packed
// when they are read, in parallel. Loading it and writing it to disk both read this file.
// Any thread may read it: a mutex serializes reads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/packing.h"
#include "checkpoint/packing_choice.h"
#include "model/gguf_source.h"

namespace infernode {

// The options that determine the file's bytes, and `threads`, which does not.
struct CheckpointOptions {
  std::string path;  // of the directory
  PackingProfile profile = PackingProfile::kAuto;
  std::optional<PackedType> plain_type;      // type for plain linear weights; empty: unchanged
  std::optional<std::string> pre_tokenizer;  // see TokenizerNeeds
  // Plain BF16 weights stay BF16, for GPUs and CPUs that have BF16 instructions. False: they become
  // F16, which other CPUs multiply faster and with more precise activations.
  bool keep_bf16 = false;
  int threads = 0;  // 0: the machine's cores
  // The files contain headers followed by zeros: for estimates, tensors must not be read.
  bool headers_only = false;
};

// How one tensor was converted.
struct PackedTensor {
  std::string name;  // its name in the GGUF file
  std::string from;  // "AWQ gemm, 4 bits, groups of 128", "bf16"
  PackedType type = PackedType::kF32;
  std::uint64_t weights = 0;
  std::uint64_t bytes = 0;
  PackingError error;  // complete once all rows have been read
};

// The load report of a checkpoint.
struct CheckpointReport {
  std::string description;         // "AWQ gemm, 4 bits, groups of 128, asymmetric", or "bf16"
  std::vector<std::string> notes;  // for example, that the context is limited to a sliding window
  std::vector<PackedTensor> tensors;
};

class CheckpointFile : public GgufSource {
 public:
  // Reads headers and config, no weights. Throws Error; messages name file and tensor.
  static std::shared_ptr<const CheckpointFile> open(const CheckpointOptions& options);

  // Errors are complete once every tensor has been read.
  virtual CheckpointReport report() const = 0;
};

}  // namespace infernode
