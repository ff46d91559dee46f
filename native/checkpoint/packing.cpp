// The types, their sizes, and the checks that every packer makes first.
#include "checkpoint/packing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "checkpoint/half_numbers.h"
#include "checkpoint/packing_rules.h"
#include "core/types.h"
#include "model/gguf_file.h"

namespace infernode {

namespace {

struct TypeRow {
  std::string_view name;
  std::uint32_t number;  // ggml's type number
};

// In the order of PackedType.
constexpr std::array<TypeRow, 8> kTypes = {{{"f32", 0},
                                            {"f16", 1},
                                            {"bf16", 30},
                                            {"q4_0", 2},
                                            {"q4_1", 3},
                                            {"q5_0", 6},
                                            {"q8_0", 8},
                                            {"q4_k", 12}}};

constexpr std::int16_t kMiddle4 = 8, kMiddle8 = 128, kLargestZero4 = 16, kLargestZero8 = 256;

const TypeRow& row_of(PackedType type) { return kTypes.at(static_cast<std::size_t>(type)); }

const GgufTensorType& ggml_type(PackedType type) { return *gguf_tensor_type(row_of(type).number); }

[[nodiscard]] bool is_plain(PackedType type) {
  return type == PackedType::kF32 || type == PackedType::kF16 || type == PackedType::kBf16;
}

// Whether the type can represent scale * (quant - zero) for every quant.
[[nodiscard]] bool takes_zero(PackedType type, std::int16_t zero) {
  if (is_plain(type)) return true;
  if (type == PackedType::kQ8_0) return zero <= kLargestZero4 || zero == kMiddle8;
  if (type == PackedType::kQ4_0) return zero == kMiddle4;
  return zero >= 0 && zero <= kLargestZero4;
}

// The largest number that must fit f16 to write a group. For F16 itself: an 8-bit weight is at most
// 256 steps from 0, or 128 from the middle.
float largest_half(PackedType type, float step, std::int16_t zero) {
  if (type == PackedType::kF32 || type == PackedType::kBf16) return 0;
  if (type == PackedType::kF16) return step * (zero == kMiddle8 ? kMiddle8 : kLargestZero8);
  const bool has_offset = type == PackedType::kQ4_1 || type == PackedType::kQ4_K;
  return has_offset ? step * std::max<float>(1, zero) : step;
}

}  // namespace

std::string_view packed_type_name(PackedType type) { return row_of(type).name; }

std::uint32_t ggml_type_number(PackedType type) { return row_of(type).number; }

std::size_t packed_block(PackedType type) { return ggml_type(type).block_elements; }

std::size_t packed_row_bytes(PackedType type, std::size_t columns) {
  INFERNODE_CHECK(columns % packed_block(type) == 0, "a packed row is a whole number of blocks");
  return columns / packed_block(type) * ggml_type(type).block_bytes;
}

double PackingError::rms() const {
  return weights == 0 ? 0 : std::sqrt(squares / static_cast<double>(weights));
}

void PackingError::merge(const PackingError& other) {
  worst = std::max(worst, other.worst);
  squares += other.squares;
  weights += other.weights;
}

void check_packable(const GroupedRows& rows, PackedType type, std::size_t out_bytes) {
  INFERNODE_CHECK(rows.group > 0 && rows.group % 32 == 0 && rows.columns % rows.group == 0,
                  "groups are multiples of 32 that divide the columns");
  INFERNODE_CHECK(rows.quants.size() == rows.rows * rows.columns &&
                      rows.scales.size() == rows.rows * rows.groups() &&
                      rows.zeros.size() == rows.scales.size(),
                  "grouped rows have as many numbers as their shape says");
  INFERNODE_CHECK(out_bytes == rows.rows * packed_row_bytes(type, rows.columns),
                  "packed rows fill their buffer");
  INFERNODE_CHECK(type != PackedType::kQ4_K || rows.group % 128 == 0,
                  "Q4_K holds groups of 128 or more");
  for (std::size_t i = 0; i < rows.scales.size(); ++i) {
    INFERNODE_CHECK(takes_zero(type, rows.zeros[i]), "the packed type holds every zero point");
    INFERNODE_CHECK(type != PackedType::kQ4_K || rows.scales[i] >= 0, "Q4_K's steps have no sign");
    if (largest_half(type, std::abs(rows.scales[i]), rows.zeros[i]) > kLargestHalf)
      throw Error(ErrorCode::kModelCorrupt,
                  "a scale, or scale * zero point, is more than 65,504, which " +
                      std::string(packed_type_name(type)) +
                      " cannot hold; use the profile \"f32\"");
  }
}

}  // namespace infernode
