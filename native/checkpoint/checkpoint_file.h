// A Hugging Face checkpoint as a GGUF file that is nowhere: header in memory, tensors packed
// where they are read, in parallel. Loading it, and writing it to disk, are both copies of
// it. Immutable; reads are serialized.
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

// Everything that decides what the file's bytes are, except `threads`.
struct CheckpointOptions {
  std::string path;  // of the directory
  PackingProfile profile = PackingProfile::kAuto;
  std::optional<PackedType> plain_type;      // of plain linear weights; none: kept
  std::optional<std::string> pre_tokenizer;  // see TokenizerNeeds
  // Plain BF16 weights stay BF16, for GPUs and for CPUs that multiply it. False: they become
  // F16, which other CPUs multiply faster and with more precise activations.
  bool keep_bf16 = false;
  int threads = 0;  // 0: the machine's cores
  // The files have headers and zeros behind them: for estimates, never to be read.
  bool headers_only = false;
};

// What became of one tensor.
struct PackedTensor {
  std::string name;  // GGUF's
  std::string from;  // "AWQ gemm, 4 bits, groups of 128", "bf16"
  PackedType type = PackedType::kF32;
  std::uint64_t weights = 0;
  std::uint64_t bytes = 0;
  PackingError error;  // once its rows have been read
};

// What a load tells of its checkpoint.
struct CheckpointReport {
  std::string description;         // "AWQ gemm, 4 bits, groups of 128, asymmetric", or "bf16"
  std::vector<std::string> notes;  // such as that the context is limited to a sliding window
  std::vector<PackedTensor> tensors;
};

class CheckpointFile : public GgufSource {
 public:
  // Reads headers and config, no weights. Throws Error; messages name file and tensor.
  static std::shared_ptr<const CheckpointFile> open(const CheckpointOptions& options);

  // Errors are complete where everything has been read.
  virtual CheckpointReport report() const = 0;
};

}  // namespace infernode
