// Packing: what ggml makes of the packed blocks is the checkpoint's weights, the vectorised
// packers write the reference's bytes at every size, and the error told is the error written.
#include "checkpoint/packing.h"

#include <bit>
#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "checkpoint/half_numbers.h"
#include "checkpoint/packing_kernels.h"
#include "core/types.h"
#include "ggml.h"
#include "model/gguf_file.h"
#include "packing_fixture.h"
#include "packing_reference.h"

using namespace infernode;

namespace {

using Bytes = std::vector<std::byte>;

constexpr PackedType kTypes[] = {PackedType::kF32,  PackedType::kF16,  PackedType::kBf16,
                                 PackedType::kQ4_0, PackedType::kQ4_1, PackedType::kQ5_0,
                                 PackedType::kQ8_0, PackedType::kQ4_K};

bool is_float(PackedType type) { return packed_block(type) == 1; }

ggml_type ggml_type_of(PackedType type) { return static_cast<ggml_type>(ggml_type_number(type)); }

Bytes packed(const GroupedRows& rows, PackedType type, PackingError* error = nullptr,
             bool reference = false) {
  Bytes out(rows.rows * packed_row_bytes(type, rows.columns));
  if (reference)
    pack_rows_reference(rows, type, out, error);
  else
    pack_rows(rows, type, out, error);
  return out;
}

// What ggml computes with.
std::vector<float> floats_of(const Bytes& bytes, PackedType type, std::size_t count) {
  std::vector<float> out(count);
  if (type == PackedType::kF32)
    std::memcpy(out.data(), bytes.data(), bytes.size());
  else
    ggml_get_type_traits(ggml_type_of(type))
        ->to_float(bytes.data(), out.data(), static_cast<std::int64_t>(count));
  return out;
}

double weight(const GroupedRows& rows, std::size_t index) {
  const std::size_t group =
      index / rows.columns * rows.groups() + index % rows.columns / rows.group;
  return static_cast<double>(rows.scales[group]) * (rows.quants[index] - rows.zeros[group]);
}

double step(const GroupedRows& rows, std::size_t index) {
  return std::abs(
      rows.scales[index / rows.columns * rows.groups() + index % rows.columns / rows.group]);
}

// The largest difference of ggml's numbers from the weights, in steps.
double worst_of(const GroupedRows& rows, PackedType type) {
  const Bytes bytes = packed(rows, type);
  const std::vector<float> floats = floats_of(bytes, type, rows.quants.size());
  double worst = 0;
  for (std::size_t i = 0; i < floats.size(); ++i)
    worst =
        std::max(worst, std::abs(static_cast<double>(floats[i]) - weight(rows, i)) / step(rows, i));
  return worst;
}

}  // namespace

TEST("names, numbers and sizes are ggml's") {
  for (const PackedType type : kTypes) {
    const GgufTensorType& known = *gguf_tensor_type(ggml_type_number(type));
    std::string name(known.name);
    for (char& letter : name) letter = static_cast<char>(std::tolower(letter));
    CHECK_EQ(packed_type_name(type), name);
    CHECK_EQ(packed_block(type), static_cast<std::size_t>(ggml_blck_size(ggml_type_of(type))));
    CHECK_EQ(packed_row_bytes(type, 1024), ggml_row_size(ggml_type_of(type), 1024));
  }
}

TEST("every f16 becomes a float and an f16 again, and rounding is ggml's") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float number = ggml_fp16_to_fp32(half);
    if (std::isnan(number)) continue;
    CHECK_EQ(float_of_half(half), number);
    CHECK_EQ(half_of(number), half);
  }
  std::mt19937 random(3);
  for (int i = 0; i < 2000000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random());
    const float number = std::bit_cast<float>(bits);
    if (std::isnan(number)) continue;
    const auto small =
        std::bit_cast<float>((bits & 0x83ffffff) | 0x30000000);  // about 2^-24..2^-16
    CHECK_EQ(half_of(number), ggml_fp32_to_fp16(number));
    CHECK_EQ(half_of(small), ggml_fp32_to_fp16(small));
    CHECK_EQ(bfloat_of(number), ggml_fp32_to_bf16(number).bits);
  }
}

TEST("ggml reads the checkpoint's own weights where the type is exact") {
  const GroupKinds symmetric = {.symmetric = true};
  const GroupKinds signs = {.symmetric = true, .negative_scales = true};
  const GroupKinds gptq = {.largest_zero = 16};
  const GroupKinds eight = {.bits = 8};
  for (const std::size_t group : {32, 64, 96, 128, 384}) {
    const std::size_t columns = group * 4;
    CHECK_EQ(worst_of(random_rows(5, columns, group, group, symmetric), PackedType::kQ4_0), 0);
    for (const PackedType type : {PackedType::kQ4_0, PackedType::kQ4_1, PackedType::kQ5_0,
                                  PackedType::kQ8_0, PackedType::kF32})
      CHECK_EQ(worst_of(random_rows(5, columns, group, group, signs), type), 0);
    CHECK_EQ(worst_of(random_rows(5, columns, group, group, gptq), PackedType::kQ5_0), 0);
    CHECK_EQ(worst_of(random_rows(5, columns, group, group, gptq), PackedType::kQ8_0), 0);
    CHECK_EQ(worst_of(random_rows(5, columns, group, group, gptq), PackedType::kF32), 0);
    CHECK_EQ(worst_of(random_rows(5, columns, group, group, eight), PackedType::kQ8_0), 0);
    CHECK_EQ(worst_of(random_rows(5, columns, group, group, eight), PackedType::kF32), 0);
  }
}

TEST("Q4_1 differs by less than 0.00732 steps, and not at all where the zero point is 2^n") {
  // ggml adds m in float, which rounds once more, a thousandth of that.
  CHECK(worst_of(random_rows(64, 1024, 128, 1, {.largest_zero = 16}), PackedType::kQ4_1) < 0.0074);
  GroupedRows rows = random_rows(64, 1024, 128, 2);
  for (std::size_t i = 0; i < rows.zeros.size(); ++i)
    rows.zeros[i] = static_cast<std::int16_t>(i % 6 == 5 ? 0 : 1 << i % 6);
  PackingError error;
  packed(rows, PackedType::kQ4_1, &error);
  CHECK_EQ(error.worst, 0);
}

TEST("the known example of Q4_1 has its known bytes") {
  // awq: quants 1 to 8, scale f16(0.0125), zero point 7.
  GroupedRows rows;
  rows.resize(1, 32, 32);
  for (std::size_t i = 0; i < 32; ++i) rows.quants[i] = static_cast<std::uint8_t>(1 + i % 8);
  rows.scales[0] = float_of_half(0x2266);
  rows.zeros[0] = 7;
  const Bytes bytes = packed(rows, PackedType::kQ4_1);
  const std::vector<int> head = {0x66, 0x22, 0x99, 0xad, 0x11, 0x22};
  for (std::size_t i = 0; i < head.size(); ++i) CHECK_EQ(std::to_integer<int>(bytes[i]), head[i]);
}

TEST(
    "Q4_K differs little for steps like those of real checkpoints, and not at all in wide groups") {
  PackingError error;
  packed(random_rows(64, 2048, 128, 1, {.scale = 3e-3f}), PackedType::kQ4_K, &error);
  CHECK(error.rms() < 0.006);
  CHECK(error.worst < 0.08);
  for (const std::size_t group : {256, 512, 1024}) {
    PackingError none;
    packed(random_rows(8, 1024, group, group), PackedType::kQ4_K, &none);
    CHECK_EQ(none.worst, 0);
  }
  CHECK_NEAR(worst_of(random_rows(64, 2048, 128, 1, {.scale = 3e-3f}), PackedType::kQ4_K),
             error.worst, 1e-5);
}

TEST("groups whose scale is 0 are 0 in every type") {
  const GroupKinds kinds = {.symmetric = true, .half_scales = false, .zero_scales = 0.5};
  const GroupedRows rows = random_rows(64, 1024, 128, 9, kinds);
  for (const PackedType type : kTypes) {
    const std::vector<float> floats = floats_of(packed(rows, type), type, rows.quants.size());
    for (std::size_t i = 0; i < floats.size(); ++i)
      if (step(rows, i) == 0) CHECK_EQ(floats[i], 0.0f);
  }
}

TEST("the reported error is that of the values ggml reads") {
  for (const PackedType type : kTypes) {
    const GroupKinds kinds = {
        .symmetric = type == PackedType::kQ4_0, .half_scales = false, .largest_zero = 16};
    const GroupedRows rows = random_rows(9, 1536, 384, 4, kinds);
    PackingError error;
    packed(rows, type, &error);
    CHECK_EQ(error.weights, rows.quants.size());
    CHECK_NEAR(error.worst, worst_of(rows, type), 4e-6);
    CHECK((error.worst > 1e-4) == (type != PackedType::kF32));
  }
}

namespace {

// Whether all kernels that this CPU has write the reference's bytes and tell its error.
void compare_with_reference(const GroupedRows& rows, PackedType type) {
  PackingError theirs;
  const Bytes expected = packed(rows, type, &theirs, true);
  for (const PackingKernels* kernels : packing_kernels()) {
    PackingError ours;
    Bytes out(expected.size());
    pack_rows_with(*kernels, rows, type, out, &ours);
    if (out != expected)
      check::fail(__FILE__, __LINE__,
                  std::string(kernels->name) + ": " + std::string(packed_type_name(type)) +
                      " of groups of " + std::to_string(rows.group) + " differs");
    CHECK_EQ(ours.weights, theirs.weights);
    CHECK_NEAR(ours.worst, theirs.worst, 1e-9 * theirs.worst);
    CHECK_NEAR(ours.squares, theirs.squares, 1e-6 * theirs.squares);
    out.assign(out.size(), std::byte{0xaa});
    pack_rows_with(*kernels, rows, type, out, nullptr);
    CHECK(out == expected);
  }
}

}  // namespace

TEST("vectorised packers write the reference's bytes and report its error") {
  const GroupKinds kinds[] = {
      {.largest_zero = 16},
      {.half_scales = false},
      {.symmetric = true, .half_scales = false, .scale = 1e-6f, .spread = 3},
      {.bits = 8},
      {.largest_zero = 0},
      {.half_scales = false, .zero_scales = 0.3},
      {.symmetric = true, .half_scales = false, .negative_scales = true},
      {.half_scales = false, .scale = 1e-16f, .spread = 5}};
  for (const PackedType type : kTypes) {
    for (GroupKinds kind : kinds) {
      if (kind.negative_scales && type == PackedType::kQ4_K) continue;
      if (kind.bits == 8 && !is_float(type) && type != PackedType::kQ8_0) continue;
      kind.symmetric = kind.symmetric || type == PackedType::kQ4_0;
      for (const std::size_t group : {32, 64, 96, 128, 160, 256, 384, 1056}) {
        for (const std::size_t groups : {1, 2, 3, 4, 5, 7}) {
          const bool fits = group % 128 == 0 && group * groups % 256 == 0;
          if (type == PackedType::kQ4_K && !fits) continue;
          compare_with_reference(random_rows(1 + groups % 3, group * groups, group, groups, kind),
                                 type);
        }
      }
    }
  }
}

TEST("a scale, or scale times zero point, beyond f16 is refused where f16 must hold it") {
  GroupedRows rows = random_rows(1, 256, 128, 1);
  rows.scales[1] = 5000;
  rows.zeros[1] = 15;
  CHECK_THROWS(Error, packed(rows, PackedType::kQ4_1));
  CHECK_THROWS(Error, packed(rows, PackedType::kQ4_K));
  CHECK_THROWS(Error, packed(rows, PackedType::kF16));
  PackingError error;
  packed(rows, PackedType::kQ5_0, &error);
  CHECK_EQ(error.worst, 0);
  rows.scales[1] = 70000;
  CHECK_THROWS(Error, packed(rows, PackedType::kQ8_0));
  CHECK_THROWS(Error, packed(rows, PackedType::kQ5_0, nullptr, true));
  packed(rows, PackedType::kF32);
}

TEST("a type that cannot hold the zero points is our own mistake") {
  const GroupedRows rows = random_rows(1, 256, 128, 1);
  CHECK_THROWS(BrokenInvariant, packed(rows, PackedType::kQ4_0));
  const GroupedRows eight = random_rows(1, 256, 128, 1, {.bits = 8});
  CHECK_THROWS(BrokenInvariant, packed(eight, PackedType::kQ4_1));
  CHECK_THROWS(BrokenInvariant, packed(random_rows(1, 256, 64, 1), PackedType::kQ4_K));
}
