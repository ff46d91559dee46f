// Chooses the ggml type of a quantized matrix. A GGUF header names types before any weight is
// written, so the choice is made from scales and zero points alone, which are a thirtieth of the
// bytes: every matrix is examined once when a checkpoint is opened. Pure except for reading; any
// thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "checkpoint/packing.h"
#include "checkpoint/quantized_matrix.h"

namespace infernode {

enum class PackingProfile { kAuto, kLossless, kQ4_1, kQ4_K, kQ5_0, kQ8_0, kF32 };

// By the spelling of the options: "auto", "lossless", "q4_1".
[[nodiscard]] std::optional<PackingProfile> packing_profile(std::string_view name);

// What the scales and zero points of one matrix imply.
struct MatrixFacts {
  int bits = 4;
  bool symmetric = true;  // every zero point is the middle: 8, or 128 for 8 bits
  // Occur in auto-round's symmetric exports; Q4_K cannot represent them.
  bool negative_scales = false;
  // Of the best Q4_K fit; nullopt: not requested, or it does not fit.
  std::optional<PackingError> q4_k;
};

// If a super-block is off by more than this many steps (its own step, or the matrix's median step
// if that is larger), the matrix becomes Q4_1.
constexpr double kWorstQ4_K = 0.1;

// Reads all scales and zero points. Throws what QuantizedMatrix::read_groups() throws, and
// Error(kModelCorrupt) with `label`, the file and tensor, if scale * zero point exceeds f16's range
// (65,504) and the profile needs f16.
MatrixFacts examine_matrix(const QuantizedMatrix& matrix, PackingProfile profile,
                           const std::string& label);

// The chosen type. For 8 bits it is Q8_0, F16 if there are zero points, or F32 if the profile is
// kF32. A request that cannot be met shows in the load report, which names the type of each tensor.
PackedType choose_packing(PackingProfile profile, const MatrixFacts& facts);

}  // namespace infernode
