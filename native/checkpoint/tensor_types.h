// Which type each tensor of a checkpoint gets in the GGUF file. Quantized weights are chosen
// by packing_choice, from their scales and zero points; this file has the plain ones, and
// what the file says of itself. Pure but for reading scales.
#pragma once

#include <cstdint>
#include <span>

#include "checkpoint/checkpoint_file.h"
#include "checkpoint/tensor_plan.h"

namespace infernode {

// The type of each planned tensor, in order. Examines quantized ones in parallel, by `threads`;
// where only headers are there, `symmetric` decides, which is what the config says.
// Throws what examine_matrix() throws, and Error(kModelFormatUnsupported) for lengths of rows
// that no type holds.
std::vector<PackedType> choose_types(std::span<const PlannedTensor> tensors,
                                     const CheckpointOptions& options, bool symmetric, int threads);

// llama.cpp's number of the file's type (llama.h, enum llama_ftype): that of most weights.
std::uint32_t file_type_of(std::span<const PlannedTensor> tensors,
                           std::span<const PackedType> types);

}  // namespace infernode
