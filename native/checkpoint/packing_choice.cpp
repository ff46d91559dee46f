// Why each profile chooses what it does: docs/decisions/0041.
#include "checkpoint/packing_choice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "checkpoint/half_numbers.h"
#include "checkpoint/q4_k_fit.h"
#include "core/types.h"

namespace infernode {

namespace {

constexpr std::size_t kHalf = 128;            // weights of half a super-block
constexpr std::size_t kGroupsRead = 1 << 16;  // at a time: their numbers take half a megabyte
constexpr double kMeanQuant = 7.5, kMeanSquare = 77.5, kLargestQuant = 15;

constexpr std::array<std::string_view, 7> kNames = {"auto", "lossless", "q4_1", "q4_k",
                                                    "q5_0", "q8_0",     "f32"};

// Calls `look` with the groups of all rows, a few rows at a time.
template <typename Look>
void each_rows(const QuantizedMatrix& matrix, GroupedRows& rows, Look look) {
  const std::size_t groups = std::max<std::size_t>(1, matrix.columns() / matrix.group());
  const std::size_t block = std::max<std::size_t>(1, matrix.row_block());
  const std::size_t wanted = std::max<std::size_t>(1, kGroupsRead / groups);
  const std::size_t at_once = (wanted + block - 1) / block * block;
  for (std::size_t first = 0; first < matrix.rows(); first += at_once) {
    matrix.read_groups(first, std::min(at_once, matrix.rows() - first), rows);
    look();
  }
}

// Largest distance of an 8-bit weight from its zero point, in steps.
constexpr float kFurthest8 = 256;

// Whether scale * zero point, the scale itself, or an 8-bit weight to be stored as f16 exceeds
// f16's range.
[[nodiscard]] bool overflows(float scale, std::int16_t zero, const MatrixFacts& facts,
                             PackingProfile profile) {
  if (facts.bits == 8) return std::abs(scale) * (zero == 128 ? 1 : kFurthest8) > kLargestHalf;
  const bool has_offset = profile == PackingProfile::kQ4_1 || profile == PackingProfile::kQ4_K ||
                          profile == PackingProfile::kAuto;
  const float factor = has_offset && zero <= 16 ? std::max<float>(1, zero) : 1;
  return std::abs(scale) * factor > kLargestHalf;
}

void look_at_groups(const GroupedRows& rows, PackingProfile profile, const std::string& label,
                    MatrixFacts& facts) {
  const std::int16_t middle = facts.bits == 8 ? 128 : 8;
  for (std::size_t i = 0; i < rows.scales.size(); ++i) {
    const float scale = rows.scales[i];
    if (profile != PackingProfile::kF32 && overflows(scale, rows.zeros[i], facts, profile))
      throw Error(ErrorCode::kModelCorrupt,
                  label +
                      " has a scale, or a scale * zero point, of more than 65,504, the largest "
                      "number of the packed types; use the profile \"f32\"");
    facts.symmetric = facts.symmetric && rows.zeros[i] == middle;
    facts.negative_scales = facts.negative_scales || scale < 0;
  }
}

// The median step of the groups.
double median_step(const QuantizedMatrix& matrix) {
  std::vector<float> steps;
  steps.reserve(matrix.rows() * (matrix.columns() / matrix.group()));
  GroupedRows rows;
  each_rows(matrix, rows,
            [&] { steps.insert(steps.end(), rows.scales.begin(), rows.scales.end()); });
  if (steps.empty()) return 0;
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  return *middle;
}

// Adds the error of a half, with quants from 0 to 15 equally likely; returns the largest error in
// units of weights.
double add_half(const Q4KFit::Error& error, double step, PackingError& sum) {
  const double worst =
      std::max(std::abs(error.constant), std::abs(error.slope * kLargestQuant + error.constant));
  sum.weights += kHalf;
  if (step == 0) return worst;
  const double square = error.slope * error.slope * kMeanSquare +
                        2 * error.slope * error.constant * kMeanQuant +
                        error.constant * error.constant;
  sum.squares += square / (step * step) * kHalf;
  sum.worst = std::max(sum.worst, worst / step);
  return worst;
}

StepAndOffset half_of_row(const GroupedRows& rows, std::size_t row, std::size_t column) {
  const std::size_t group = row * rows.groups() + column / rows.group;
  return {rows.scales[group], rows.scales[group] * static_cast<float>(rows.zeros[group])};
}

// Fits all super-blocks; stops at the first one that is too inexact.
void look_at_super_blocks(const QuantizedMatrix& matrix, MatrixFacts& facts) {
  const double median = median_step(matrix);
  bool fits = true;
  PackingError sum;
  GroupedRows rows;
  each_rows(matrix, rows, [&] {
    for (std::size_t row = 0; fits && row < rows.rows; ++row) {
      for (std::size_t column = 0; column < rows.columns; column += 2 * kHalf) {
        const std::array halves = {half_of_row(rows, row, column),
                                   half_of_row(rows, row, column + kHalf)};
        const Q4KFit fit = fit_q4_k(halves[0], halves[1]);
        for (std::size_t i = 0; i < 2; ++i) {
          const double step = halves[i].step;
          const double worst = add_half(fit.error(i, step, halves[i].offset), step, sum);
          if (worst > kWorstQ4_K * std::max(step, median)) fits = false;
        }
      }
    }
  });
  if (fits) facts.q4_k = sum;
}

[[nodiscard]] bool may_be_q4_k(const QuantizedMatrix& matrix, PackingProfile profile,
                               const MatrixFacts& facts) {
  const bool wanted =
      profile == PackingProfile::kQ4_K || (profile == PackingProfile::kAuto && !facts.symmetric);
  return wanted && !facts.negative_scales && matrix.bits() == 4 &&
         matrix.columns() % (2 * kHalf) == 0 && matrix.group() % kHalf == 0;
}

}  // namespace

std::optional<PackingProfile> packing_profile(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<PackingProfile>(found - kNames.begin());
}

MatrixFacts examine_matrix(const QuantizedMatrix& matrix, PackingProfile profile,
                           const std::string& label) {
  MatrixFacts facts;
  facts.bits = matrix.bits();
  GroupedRows rows;
  each_rows(matrix, rows, [&] { look_at_groups(rows, profile, label, facts); });
  if (may_be_q4_k(matrix, profile, facts)) look_at_super_blocks(matrix, facts);
  return facts;
}

PackedType choose_packing(PackingProfile profile, const MatrixFacts& facts) {
  if (profile == PackingProfile::kF32) return PackedType::kF32;
  // Quant minus zero point needs nine bits, which no quantized ggml type has.
  if (facts.bits == 8) return facts.symmetric ? PackedType::kQ8_0 : PackedType::kF16;
  switch (profile) {
    case PackingProfile::kQ4_1:
      return PackedType::kQ4_1;
    case PackingProfile::kQ5_0:
      return PackedType::kQ5_0;
    case PackingProfile::kQ8_0:
      return PackedType::kQ8_0;
    case PackingProfile::kLossless:
      return facts.symmetric ? PackedType::kQ4_0 : PackedType::kQ5_0;
    case PackingProfile::kQ4_K:
      return facts.q4_k ? PackedType::kQ4_K : PackedType::kQ4_1;
    default:
      if (facts.symmetric) return PackedType::kQ4_0;
      return facts.q4_k ? PackedType::kQ4_K : PackedType::kQ4_1;
  }
}

}  // namespace infernode
