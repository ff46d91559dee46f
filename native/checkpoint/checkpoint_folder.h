// A Hugging Face model directory: its small files, and the tensors of its safetensors files, whose
// headers are validated when it is opened (duplicates, overlaps, gaps, shapes, sizes, shards of the
// index). Tensor bytes are read with pread(), never mapped: a file that shrinks meanwhile causes an
// error, not SIGBUS. Immutable once opened; any thread may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/json_text.h"

namespace infernode {

enum class TensorDtype { kF64, kF32, kF16, kBf16, kI64, kI32, kI16, kI8, kU8, kBool, kOther };

// The name in the safetensors format: "BF16".
std::string_view dtype_name(TensorDtype dtype);
std::size_t dtype_bytes(TensorDtype dtype);  // 0 for kOther

struct StoredTensor {
  std::string name;  // as stored, such as "model.layers.0.mlp.up_proj.qweight"
  TensorDtype dtype = TensorDtype::kOther;
  std::string dtype_text;            // as stored; the only name of an unknown type
  std::vector<std::uint64_t> shape;  // Hugging Face order: rows first
  std::uint32_t file = 0;            // index into files()
  std::uint64_t begin = 0;           // byte offset in that file
  std::uint64_t bytes = 0;
};

struct TensorFile {
  std::string path;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
};

class CheckpointFolder {
 public:
  // Throws Error: kModelNotFound, kModelUnreadable, kModelTruncated, kModelCorrupt; the message
  // names the file and the tensor, if any.
  static CheckpointFolder open(const std::string& path);
  // The same for files that contain headers followed by zeros, for estimates: the content of
  // tensors must not be checked.
  static CheckpointFolder open_headers(const std::string& path);
  ~CheckpointFolder();
  CheckpointFolder(CheckpointFolder&&) noexcept;
  CheckpointFolder& operator=(CheckpointFolder&&) noexcept;

  const std::string& path() const;
  [[nodiscard]] bool has_content() const;            // false after open_headers()
  const std::vector<StoredTensor>& tensors() const;  // sorted by name
  const StoredTensor* find(std::string_view name) const;
  const std::vector<TensorFile>& files() const;

  // Fills `out` with a tensor's bytes from `offset` on. Throws Error(kModelTruncated) if the file
  // has become shorter, kModelUnreadable if it was changed or cannot be read.
  void read(const StoredTensor& tensor, std::uint64_t offset, std::span<std::byte> out) const;

  // A small file beside the weights, such as "config.json"; nullopt if it does not exist. Throws
  // Error(kModelCorrupt) if it is larger than `most_bytes`.
  [[nodiscard]] std::optional<std::string> text(std::string_view name,
                                                std::size_t most_bytes) const;
  // The same, parsed; must be a JSON object.
  [[nodiscard]] std::optional<Json> json(std::string_view name, std::size_t most_bytes) const;
  // "<folder>/<name>", for messages.
  std::string label(std::string_view name) const;

 private:
  struct State;
  explicit CheckpointFolder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace infernode
