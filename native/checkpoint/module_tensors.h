// The stored tensors of one linear layer, found by suffix and checked for dtype and shape before
// they are read; and rectangles of two-dimensional tensors. Every error names file and tensor.
// Refers to the folder, which must outlive it. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint_folder.h"

namespace infernode {

// "\"/models/x/model.safetensors\": tensor 'model.layers.0.mlp.up_proj.qweight'".
std::string tensor_label(const CheckpointFolder& folder, const StoredTensor& tensor);

class ModuleTensors {
 public:
  ModuleTensors(const CheckpointFolder& folder, std::string module)
      : folder_(folder), module_(std::move(module)) {}

  const CheckpointFolder& folder() const { return folder_; }
  const std::string& module() const { return module_; }

  const StoredTensor* find(std::string_view suffix) const;  // ".qweight"
  // Throws Error(kModelCorrupt) if the module lacks it; `beside` is a tensor that the module has.
  const StoredTensor& need(std::string_view suffix, const StoredTensor& beside) const;
  // Throws Error(kModelCorrupt) if dtype or shape are not what the format requires.
  void judge(const StoredTensor& tensor, std::initializer_list<TensorDtype> dtypes,
             const std::vector<std::uint64_t>& shape) const;

 private:
  const CheckpointFolder& folder_;
  std::string module_;
};

[[noreturn]] void throw_corrupt(const CheckpointFolder& folder, const StoredTensor& tensor,
                                const std::string& sentence);

// A rectangle of a two-dimensional tensor: `rows` rows from `first_row` on, in each `columns`
// numbers from `first_column` on.
struct Rectangle {
  std::size_t first_row = 0;
  std::size_t rows = 0;
  std::size_t first_column = 0;
  std::size_t columns = 0;
};

// The bytes of a rectangle, in rows that begin stride() bytes apart. Gaps between rows are read as
// well if that is cheaper than another system call.
class RectangleBytes {
 public:
  void read(const CheckpointFolder& folder, const StoredTensor& tensor, const Rectangle& part);

  std::size_t stride() const { return stride_; }
  const std::byte* row(std::size_t index) const { return bytes_.data() + index * stride_; }
  // The same for a tensor of 4-byte words.
  const std::uint32_t* words(std::size_t index) const {
    return reinterpret_cast<const std::uint32_t*>(row(index));
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t stride_ = 0;
};

}  // namespace infernode
