// GPTQ: words [in / 8][out] of eight inputs in natural order, zero points [groups][out / 8] of
// eight outputs, scales [groups][out]. v1 stores the zero point minus one: 16 (256 for 8 bits) is
// possible, and nothing wraps around. An index that reorders the inputs is refused: ggml's groups
// consist of adjacent inputs.
#include <cstring>
#include <string>
#include <vector>

#include "checkpoint/quantized_formats.h"
#include "checkpoint/word_readers.h"
#include "core/types.h"

namespace infernode {
namespace {

void judge_order(const ModuleTensors& module, const StoredTensor& quants, MatrixShape shape,
                 const QuantConfig& config) {
  const StoredTensor* const index = module.find(".g_idx");
  if (index != nullptr) {
    judge_group_index(module, *index, shape);
  } else if (config.reordered && shape.groups() > 1) {
    throw_corrupt(module.folder(), quants,
                  "lacks " + module.module() + ".g_idx, which " + config.label +
                      " (desc_act: true) demands; download the checkpoint again");
  }
}

// Integers of 4 or 8 bytes.
std::int64_t integer_at(const std::byte* bytes, std::size_t size) {
  std::int32_t narrow = 0;
  std::int64_t wide = 0;
  if (size == sizeof(wide)) {
    std::memcpy(&wide, bytes, sizeof(wide));
    return wide;
  }
  std::memcpy(&narrow, bytes, sizeof(narrow));
  return narrow;
}

}  // namespace

void judge_group_index(const ModuleTensors& module, const StoredTensor& index,
                       const MatrixShape& shape) {
  module.judge(index, {TensorDtype::kI32, TensorDtype::kI64}, {shape.columns});
  if (!module.folder().has_content()) return;
  const std::size_t size = dtype_bytes(index.dtype);
  std::vector<std::byte> bytes(shape.columns * size);
  module.folder().read(index, 0, bytes);
  for (std::size_t column = 0; column < shape.columns; ++column) {
    const std::int64_t group = integer_at(bytes.data() + column * size, size);
    if (group == static_cast<std::int64_t>(column / shape.group)) continue;
    throw Error(ErrorCode::kModelFormatUnsupported,
                tensor_label(module.folder(), index) + " reorders the inputs (input " +
                    std::to_string(column) + " is in group " + std::to_string(group) +
                    "), which ggml's blocks cannot follow; take a checkpoint made without "
                    "desc_act or actorder \"group\", or a GGUF");
  }
}

std::unique_ptr<QuantizedMatrix> open_gptq(const ModuleTensors& module, MatrixShape shape,
                                           const QuantConfig& config) {
  const CheckpointFolder& folder = module.folder();
  const StoredTensor& quants = *module.find(".qweight");
  const std::size_t in_word = 32 / static_cast<std::size_t>(shape.bits);
  module.judge(quants, {TensorDtype::kI32}, {shape.columns / in_word, shape.rows});
  const StoredTensor& scales = module.need(".scales", quants);
  module.judge(scales, {TensorDtype::kF16, TensorDtype::kBf16, TensorDtype::kF32},
               {shape.groups(), shape.rows});
  const StoredTensor& zeros = module.need(".qzeros", quants);
  module.judge(zeros, {TensorDtype::kI32}, {shape.groups(), shape.rows / in_word});
  judge_order(module, quants, shape, config);
  const std::int16_t added = config.format == QuantFormat::kGptqV1 ? 1 : 0;
  return format_matrix(
      {.folder = &folder,
       .shape = shape,
       .row_block = rows_for(shape, std::size_t{2} << 20, 256),
       .scales = {.tensor = &scales, .rows_first = false},
       .quants = words_along_transposed({.folder = &folder, .tensor = &quants, .bits = shape.bits},
                                        shape),
       .zeros = zeros_across({.folder = &folder, .tensor = &zeros, .bits = shape.bits},
                             shape.groups(), kNaturalOrder, added)});
}

}  // namespace infernode
