// The type of each tensor in a checkpoint's GGUF file. packing_choice decides for quantized
// weights, from their scales and zero points; this file decides for plain ones, and what file type
// the header declares. Pure except for reading scales.
#pragma once

#include <cstdint>
#include <span>

#include "checkpoint/checkpoint_file.h"
#include "checkpoint/tensor_plan.h"

namespace infernode {

// The type of each planned tensor, in order. Examines quantized ones in parallel with `threads`
// threads; if only headers are available, `symmetric` decides, which is what the config declares.
// Throws what examine_matrix() throws, and Error(kModelFormatUnsupported) for row lengths that no
// type supports.
std::vector<PackedType> choose_types(std::span<const PlannedTensor> tensors,
                                     const CheckpointOptions& options, bool symmetric, int threads);

// llama.cpp's number for the file's type (llama.h, enum llama_ftype): the type of most weights.
std::uint32_t file_type_of(std::span<const PlannedTensor> tensors,
                           std::span<const PackedType> types);

}  // namespace infernode
