// Which ggml type a quantized matrix becomes. GGUF headers name types before any weight is
// written, so the choice is made from scales and zero points alone, which are a thirtieth of
// the bytes: every matrix is examined once when a checkpoint is opened. Pure but for
// reading; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "checkpoint/packing.h"
#include "checkpoint/quantized_matrix.h"

namespace infernode {

enum class PackingProfile { kAuto, kLossless, kQ4_1, kQ4_K, kQ5_0, kQ8_0, kF32 };

// Spelling of the options: "auto", "lossless", "q4_1".
std::string_view packing_profile_name(PackingProfile profile);
[[nodiscard]] std::optional<PackingProfile> packing_profile(std::string_view name);

// What the scales and zero points of one matrix say.
struct MatrixFacts {
  int bits = 4;
  bool symmetric = true;             // every zero point is the middle: 8, or 128 of 8 bits
  bool negative_scales = false;      // auto-round's symmetric exports have them; Q4_K cannot
  std::optional<PackingError> q4_k;  // of the best Q4_K; nullopt: not asked for, or it does not fit
};

// A super-block that differs by more than this many steps (its own step, or the median step
// of the matrix where that is larger) makes its matrix Q4_1.
constexpr double kWorstQ4_K = 0.1;

// Reads all scales and zero points. Throws what QuantizedMatrix::read_groups() throws, and
// Error(kModelCorrupt) with `label`, the file and tensor, where scale * zero point is more
// than f16 holds (65,504) and the profile needs f16.
MatrixFacts examine_matrix(const QuantizedMatrix& matrix, PackingProfile profile,
                           const std::string& label);

// The type. Of 8 bits it is Q8_0, F16 where there are zero points, or F32 where the profile is
// kF32; what was asked for and not possible is told by the load report, which names the type of
// each tensor.
PackedType choose_packing(PackingProfile profile, const MatrixFacts& facts);

}  // namespace infernode
