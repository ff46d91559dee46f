// Which type a matrix becomes, by profile and by what its scales and zero points say; and that
// what was judged to fit is packed with no larger error.
#include "checkpoint/packing_choice.h"

#include <algorithm>
#include <string>
#include <vector>

#include "check.h"
#include "core/types.h"
#include "packing_fixture.h"
#include "packing_reference.h"

using namespace infernode;

namespace {

// Rows in memory, read as a format would; counts how often the quants are.
class MemoryMatrix final : public QuantizedMatrix {
 public:
  explicit MemoryMatrix(GroupedRows rows, int bits = 4) : rows_(std::move(rows)), bits_(bits) {}
  std::size_t rows() const override { return rows_.rows; }
  std::size_t columns() const override { return rows_.columns; }
  std::size_t group() const override { return rows_.group; }
  int bits() const override { return bits_; }
  std::size_t row_block() const override { return 8; }
  void read(std::size_t, std::size_t, GroupedRows&) const override {
    check::fail(__FILE__, __LINE__, "quants were read");
  }
  void read_groups(std::size_t first, std::size_t count, GroupedRows& out) const override {
    CHECK_EQ(first % row_block(), 0u);
    CHECK(first + count <= rows());
    out.resize_groups(count, rows_.columns, rows_.group);
    const auto begin = static_cast<std::ptrdiff_t>(first * rows_.groups());
    std::copy_n(rows_.scales.begin() + begin, out.scales.size(), out.scales.begin());
    std::copy_n(rows_.zeros.begin() + begin, out.zeros.size(), out.zeros.begin());
  }

 private:
  GroupedRows rows_;
  int bits_;
};

PackedType chosen(const GroupedRows& rows, PackingProfile profile, int bits = 4) {
  return choose_packing(profile, examine_matrix(MemoryMatrix(rows, bits), profile, "x"));
}

using enum PackingProfile;

}  // namespace

TEST("profiles have names, and no other names are profiles") {
  CHECK(packing_profile("auto") == kAuto);
  CHECK(packing_profile("lossless") == kLossless);
  CHECK(packing_profile("q4_1") == kQ4_1);
  CHECK(packing_profile("q4_k") == kQ4_K);
  CHECK(packing_profile("q5_0") == kQ5_0);
  CHECK(packing_profile("q8_0") == kQ8_0);
  CHECK(packing_profile("f32") == kF32);
  CHECK(!packing_profile("q4_0").has_value());
  CHECK(!packing_profile("").has_value());
}

TEST("a symmetric matrix is Q4_0 by auto and lossless, an asymmetric one Q4_K and Q5_0") {
  const GroupedRows symmetric = random_rows(20, 512, 128, 1, {.symmetric = true});
  const GroupedRows asymmetric = random_rows(20, 512, 128, 1);
  CHECK(chosen(symmetric, kAuto) == PackedType::kQ4_0);
  CHECK(chosen(symmetric, kLossless) == PackedType::kQ4_0);
  CHECK(chosen(symmetric, kQ4_K) == PackedType::kQ4_K);
  CHECK(chosen(symmetric, kQ4_1) == PackedType::kQ4_1);
  CHECK(chosen(asymmetric, kAuto) == PackedType::kQ4_K);
  CHECK(chosen(asymmetric, kLossless) == PackedType::kQ5_0);
  CHECK(chosen(asymmetric, kQ5_0) == PackedType::kQ5_0);
  CHECK(chosen(asymmetric, kQ8_0) == PackedType::kQ8_0);
  CHECK(chosen(asymmetric, kF32) == PackedType::kF32);
}

TEST("one zero point off the middle, wherever it is, makes a matrix asymmetric") {
  for (const std::size_t at : {0, 1, 77, 79}) {
    GroupedRows rows = random_rows(20, 512, 128, 1, {.symmetric = true});
    rows.zeros[at] = 7;
    CHECK(chosen(rows, kLossless) == PackedType::kQ5_0);
  }
}

TEST("Q4_1 stands in where Q4_K cannot be: small groups, other widths, scales too far apart") {
  for (const PackingProfile profile : {kAuto, kQ4_K}) {
    CHECK(chosen(random_rows(9, 512, 64, 1), profile) == PackedType::kQ4_1);
    CHECK(chosen(random_rows(9, 512, 32, 1), profile) == PackedType::kQ4_1);
    CHECK(chosen(random_rows(9, 896, 128, 1), profile) == PackedType::kQ4_1);
    GroupedRows apart = random_rows(9, 512, 128, 1);
    apart.scales[20] = 500 * apart.scales[21];
    CHECK(chosen(apart, profile) == PackedType::kQ4_1);
    // The same ratio between steps that hardly matter beside the others does no harm.
    GroupedRows small = random_rows(9, 512, 128, 1);
    small.scales[20] = 1e-6f;
    CHECK(chosen(small, profile) == PackedType::kQ4_K);
  }
}

TEST("no weight of a Q4_K matrix differs by more than what it was judged by") {
  for (const float spread : {0.1f, 0.3f, 0.4f}) {
    const GroupedRows rows = random_rows(64, 2048, 128, 3, {.scale = 5e-3f, .spread = spread});
    const MatrixFacts facts = examine_matrix(MemoryMatrix(rows), kQ4_K, "x");
    CHECK(facts.q4_k.has_value());
    std::vector<std::byte> out(rows.rows * packed_row_bytes(PackedType::kQ4_K, rows.columns));
    PackingError error;
    pack_rows(rows, PackedType::kQ4_K, out, &error);
    CHECK_EQ(facts.q4_k->weights, error.weights);
    CHECK(error.worst <= facts.q4_k->worst * (1 + 1e-6));
    CHECK(error.worst > facts.q4_k->worst * 0.9);
    CHECK_NEAR(error.rms(), facts.q4_k->rms(), 0.1 * error.rms());
  }
}

TEST("a matrix with negative scales is no Q4_K") {
  GroupedRows rows = random_rows(9, 512, 128, 1, {.symmetric = true, .negative_scales = true});
  CHECK(chosen(rows, kQ4_K) == PackedType::kQ4_1);
  CHECK(chosen(rows, kAuto) == PackedType::kQ4_0);
  rows.scales.back() = -70000;
  CHECK_THROWS(Error, chosen(rows, kAuto));
}

TEST("8 bits are Q8_0, or F32 where that is asked for") {
  const GroupedRows rows = random_rows(9, 512, 128, 1, {.bits = 8});
  for (const PackingProfile profile : {kAuto, kLossless, kQ4_1, kQ4_K, kQ5_0, kQ8_0})
    CHECK(chosen(rows, profile, 8) == PackedType::kQ8_0);
  CHECK(chosen(rows, kF32, 8) == PackedType::kF32);
}

TEST("8 bits with zero points are F16, whose error is an eighth of a step at most") {
  GroupedRows rows = random_rows(9, 512, 128, 1, {.bits = 8});
  for (std::size_t i = 0; i < rows.zeros.size(); ++i)
    rows.zeros[i] = static_cast<std::int16_t>(i * 37 % 257);
  for (const PackingProfile profile : {kAuto, kLossless, kQ4_1, kQ4_K, kQ5_0, kQ8_0})
    CHECK(chosen(rows, profile, 8) == PackedType::kF16);
  CHECK(chosen(rows, kF32, 8) == PackedType::kF32);
  std::vector<std::byte> out(rows.rows * packed_row_bytes(PackedType::kF16, rows.columns));
  std::vector<std::byte> expected(out.size());
  PackingError error, of_reference;
  pack_rows(rows, PackedType::kF16, out, &error);
  pack_rows_reference(rows, PackedType::kF16, expected, &of_reference);
  CHECK(out == expected);
  CHECK(error.worst > 0 && error.worst <= 0.125);
  CHECK_NEAR(error.rms(), of_reference.rms(), 1e-6);
  // The furthest weight is 256 steps from its zero point.
  rows.scales.back() = 257;
  CHECK_THROWS(Error, chosen(rows, kAuto, 8));
  CHECK(chosen(rows, kF32, 8) == PackedType::kF32);
}

TEST("what f16 cannot hold is refused by the tensor's name, except where it stays F32") {
  GroupedRows rows = random_rows(9, 512, 128, 1);
  rows.scales.back() = 5000;
  rows.zeros.back() = 15;
  for (const PackingProfile profile : {kAuto, kQ4_1, kQ4_K}) {
    try {
      examine_matrix(MemoryMatrix(rows), profile, "model.safetensors: x.qweight");
      check::fail(__FILE__, __LINE__, "was not refused");
    } catch (const Error& error) {
      CHECK(std::string(error.what()).starts_with("model.safetensors: x.qweight has a scale, "));
    }
  }
  CHECK(chosen(rows, kF32) == PackedType::kF32);
  CHECK(chosen(rows, kLossless) == PackedType::kQ5_0);
}
