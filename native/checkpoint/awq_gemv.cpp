// AutoAWQ's gemv: words [out][in / 8] of eight inputs in natural order, zero points likewise,
// scales [out][groups]. Zero points are stored in whole words, whose number is padded to a multiple
// required by the kernel for the group size; scales are padded to the same number. Padding is not
// read.
#include "checkpoint/quantized_formats.h"
#include "checkpoint/word_readers.h"

namespace infernode {
std::unique_ptr<QuantizedMatrix> open_awq_gemv(const ModuleTensors& module, MatrixShape shape,
                                               const QuantConfig& /*config*/) {
  const CheckpointFolder& folder = module.folder();
  const StoredTensor& quants = *module.find(".qweight");
  module.judge(quants, {TensorDtype::kI32}, {shape.rows, shape.columns / 8});
  const std::size_t width = padded_zero_words(shape);
  const StoredTensor& scales = module.need(".scales", quants);
  module.judge(scales, {TensorDtype::kF16, TensorDtype::kBf16, TensorDtype::kF32},
               {shape.rows, 8 * width});
  const StoredTensor& zeros = module.need(".qzeros", quants);
  module.judge(zeros, {TensorDtype::kI32}, {shape.rows, width});
  return format_matrix(
      {.folder = &folder,
       .shape = shape,
       .row_block = rows_for(shape, std::size_t{1} << 20, 64),
       .scales = {.tensor = &scales, .rows_first = true},
       .quants = words_along({.folder = &folder, .tensor = &quants}, shape),
       .zeros = zeros_along({.folder = &folder, .tensor = &zeros}, shape.groups(), 0)});
}

}  // namespace infernode
