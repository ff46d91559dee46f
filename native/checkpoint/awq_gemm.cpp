// AutoAWQ's gemm: words [in][out / 8] of eight outputs in the order 0 2 4 6 1 3 5 7, zero points in
// the same order, scales [groups][out]. Also auto-round's auto_awq and GPTQModel's gemm.
#include "checkpoint/quantized_formats.h"
#include "checkpoint/word_readers.h"

namespace infernode {

std::unique_ptr<QuantizedMatrix> open_awq_gemm(const ModuleTensors& module, MatrixShape shape,
                                               const QuantConfig& /*config*/) {
  const CheckpointFolder& folder = module.folder();
  const StoredTensor& quants = *module.find(".qweight");
  module.judge(quants, {TensorDtype::kI32}, {shape.columns, shape.rows / 8});
  const StoredTensor& scales = module.need(".scales", quants);
  module.judge(scales, {TensorDtype::kF16, TensorDtype::kBf16, TensorDtype::kF32},
               {shape.groups(), shape.rows});
  const StoredTensor& zeros = module.need(".qzeros", quants);
  module.judge(zeros, {TensorDtype::kI32}, {shape.groups(), shape.rows / 8});
  return format_matrix(
      {.folder = &folder,
       .shape = shape,
       // A block reads a short piece of each input's row, so long blocks need fewer system calls.
       .row_block = rows_for(shape, std::size_t{8} << 20, 512),
       .scales = {.tensor = &scales, .rows_first = false},
       .quants = words_across({.folder = &folder, .tensor = &quants}, shape, kAwqOrder),
       .zeros = zeros_across({.folder = &folder, .tensor = &zeros}, shape.groups(), kAwqOrder, 0)});
}

}  // namespace infernode
