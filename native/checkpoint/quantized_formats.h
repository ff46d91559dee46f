// The checkpoint formats, one file each: they validate the tensors of a module and compose its
// matrix. Each throws Error(kModelCorrupt), or kModelFormatUnsupported if the tensors show
// something that the config does not declare. Any thread.
#pragma once

#include <memory>

#include "checkpoint/format_matrix.h"
#include "checkpoint/module_tensors.h"
#include "checkpoint/quantization_config.h"
#include "checkpoint/quantized_matrix.h"

namespace infernode {

// `shape` is the config's; its dimensions are positive, groups divide columns. The module has the
// weight, under the format's first suffix.
std::unique_ptr<QuantizedMatrix> open_awq_gemm(const ModuleTensors& module, MatrixShape shape,
                                               const QuantConfig& config);
std::unique_ptr<QuantizedMatrix> open_awq_gemv(const ModuleTensors& module, MatrixShape shape,
                                               const QuantConfig& config);
std::unique_ptr<QuantizedMatrix> open_awq_fast(const ModuleTensors& module, MatrixShape shape,
                                               const QuantConfig& config);
// As gemv_fast, with another name for zero points and perhaps bf16; or as gemv.
std::unique_ptr<QuantizedMatrix> open_llm_awq(const ModuleTensors& module, MatrixShape shape,
                                              const QuantConfig& config);
std::unique_ptr<QuantizedMatrix> open_gptq(const ModuleTensors& module, MatrixShape shape,
                                           const QuantConfig& config);
std::unique_ptr<QuantizedMatrix> open_packed(const ModuleTensors& module, MatrixShape shape,
                                             const QuantConfig& config);
std::unique_ptr<QuantizedMatrix> open_signed_bytes(const ModuleTensors& module, MatrixShape shape,
                                                   const QuantConfig& config);

// Throws if `index`, the group of each input, is not input / group: the inputs were reordered.
void judge_group_index(const ModuleTensors& module, const StoredTensor& index,
                       const MatrixShape& shape);

}  // namespace infernode
