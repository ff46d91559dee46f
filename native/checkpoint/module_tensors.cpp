#include "checkpoint/module_tensors.h"

#include <algorithm>

#include "checkpoint/refuse.h"

namespace infernode {
namespace {

// Copying a kilobyte from the page cache takes about 0.1 us, a system call at least 0.3 us.
constexpr std::size_t kCheapGap = 2048;  // bytes

std::string show_shape(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (const std::uint64_t size : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  }
  return text + "]";
}

}  // namespace

std::string tensor_label(const CheckpointFolder& folder, const StoredTensor& tensor) {
  return quoted_path(folder.files()[tensor.file].path) + ": tensor " + quoted_name(tensor.name);
}

void throw_corrupt(const CheckpointFolder& folder, const StoredTensor& tensor,
                   const std::string& sentence) {
  throw Error(ErrorCode::kModelCorrupt, tensor_label(folder, tensor) + " " + sentence);
}

const StoredTensor* ModuleTensors::find(std::string_view suffix) const {
  return folder_.find(module_ + std::string(suffix));
}

const StoredTensor& ModuleTensors::need(std::string_view suffix, const StoredTensor& beside) const {
  const StoredTensor* const tensor = find(suffix);
  if (tensor == nullptr) {
    throw_corrupt(folder_, beside,
                  "needs " + quoted_name(module_ + std::string(suffix)) +
                      ", which no file of the checkpoint has; download the checkpoint again");
  }
  return *tensor;
}

void ModuleTensors::judge(const StoredTensor& tensor, std::initializer_list<TensorDtype> dtypes,
                          const std::vector<std::uint64_t>& shape) const {
  if (std::ranges::find(dtypes, tensor.dtype) == dtypes.end()) {
    std::string expected;
    for (const TensorDtype dtype : dtypes) {
      expected += (expected.empty() ? "" : " or ") + std::string(dtype_name(dtype));
    }
    throw_corrupt(folder_, tensor,
                  "is " + printable(tensor.dtype_text, 40) + "; the format has " + expected);
  }
  if (tensor.shape != shape) {
    throw_corrupt(folder_, tensor,
                  "has the shape " + show_shape(tensor.shape) +
                      "; dimensions and group size of the config demand " + show_shape(shape));
  }
}

void RectangleBytes::read(const CheckpointFolder& folder, const StoredTensor& tensor,
                          const Rectangle& part) {
  const std::size_t size = dtype_bytes(tensor.dtype);
  const std::size_t row_bytes = static_cast<std::size_t>(tensor.shape[1]) * size;
  const std::size_t wanted = part.columns * size;
  const std::size_t at = part.first_row * row_bytes + part.first_column * size;
  if (part.rows == 0) return;
  if (row_bytes - wanted <= kCheapGap) {
    stride_ = row_bytes;
    bytes_.resize((part.rows - 1) * row_bytes + wanted);
    folder.read(tensor, at, bytes_);
    return;
  }
  stride_ = wanted;
  bytes_.resize(part.rows * wanted);
  for (std::size_t row = 0; row < part.rows; ++row) {
    folder.read(tensor, at + row * row_bytes, std::span(bytes_).subspan(row * wanted, wanted));
  }
}

}  // namespace infernode
