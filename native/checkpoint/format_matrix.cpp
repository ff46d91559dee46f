#include "checkpoint/format_matrix.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "checkpoint/module_tensors.h"
#include "core/types.h"

namespace infernode {
namespace {

class ConstantZeros final : public ZeroReader {
 public:
  ConstantZeros(std::size_t groups, std::int16_t zero) : groups_(groups), zero_(zero) {}
  void read(std::size_t /*first*/, std::size_t count, std::span<const float> /*scales*/,
            std::int16_t* zeros) const override {
    std::fill_n(zeros, count * groups_, zero_);
  }

 private:
  std::size_t groups_;
  std::int16_t zero_;
};

class FormatMatrix final : public QuantizedMatrix {
 public:
  explicit FormatMatrix(FormatParts parts) : parts_(std::move(parts)) {}

  std::size_t rows() const override { return parts_.shape.rows; }
  std::size_t columns() const override { return parts_.shape.columns; }
  std::size_t group() const override { return parts_.shape.group; }
  int bits() const override { return parts_.shape.bits; }
  std::size_t row_block() const override { return parts_.row_block; }

  void read(std::size_t first, std::size_t count, GroupedRows& out) const override {
    out.resize(count, columns(), group());
    fill(first, count, out, out.quants.data());
  }
  void read_groups(std::size_t first, std::size_t count, GroupedRows& out) const override {
    out.resize_groups(count, columns(), group());
    fill(first, count, out, nullptr);
  }

 private:
  void fill(std::size_t first, std::size_t count, GroupedRows& out, std::uint8_t* quants) const {
    INFERNODE_CHECK(first <= rows() && count <= rows() - first, "rows outside of the matrix");
    const std::size_t end = std::min((first + count + 7) / 8 * 8, rows());
    if (first % 8 == 0 && end == first + count) {
      fill_whole(first, count, out, quants);
      return;
    }
    GroupedRows whole;
    const std::size_t begin = first / 8 * 8;
    whole.resize_groups(end - begin, columns(), group());
    if (quants != nullptr) whole.quants.resize(whole.rows * columns());
    fill_whole(begin, end - begin, whole, quants != nullptr ? whole.quants.data() : nullptr);
    const std::size_t skipped = first - begin, groups = out.groups();
    std::copy_n(whole.scales.data() + skipped * groups, count * groups, out.scales.data());
    std::copy_n(whole.zeros.data() + skipped * groups, count * groups, out.zeros.data());
    if (quants != nullptr) {
      std::copy_n(whole.quants.data() + skipped * columns(), count * columns(), quants);
    }
  }

  void fill_whole(std::size_t first, std::size_t count, GroupedRows& out,
                  std::uint8_t* quants) const {
    const std::size_t groups = parts_.shape.groups();
    read_numbers(*parts_.folder, parts_.scales, first, count, groups, out.scales.data());
    parts_.zeros->read(first, count, out.scales, out.zeros.data());
    for (std::size_t row = 0; row < count; ++row) {
      judge_row(first + row, std::span(out.scales).subspan(row * groups, groups),
                std::span(out.zeros).subspan(row * groups, groups));
    }
    if (quants != nullptr) parts_.quants->read(first, count, quants);
  }

  // A scale may be negative if the zero point is the middle: auto-round's symmetric exports choose
  // the sign so that the largest weight is exactly -8 steps.
  void judge_row(std::size_t row, std::span<const float> scales,
                 std::span<const std::int16_t> zeros) const {
    const std::int16_t middle = parts_.shape.bits == 4 ? 8 : 128;
    bool finite = true, fits = true, some = false;
    for (std::size_t group = 0; group < scales.size(); ++group) {
      const float scale = scales[group];
      finite = finite && std::abs(scale) <= kLargestFloat;  // false for NaN
      fits = fits && (scale >= 0.0f || zeros[group] == middle);
      some = some || scale != 0.0f;
    }
    if (finite && fits && some) return;
    const char* const fault = !finite ? "has a scale that is NaN or infinite"
                              : !fits ? "has a negative scale beside a zero point"
                                      : "has only zeros as scales";
    throw_corrupt(
        *parts_.folder, *parts_.scales.tensor,
        std::string(fault) + " in row " + std::to_string(row) + "; download the checkpoint again");
  }

  static constexpr float kLargestFloat = 3.40282347e+38f;
  FormatParts parts_;
};

}  // namespace

std::unique_ptr<ZeroReader> constant_zeros(std::size_t groups, std::int16_t zero) {
  return std::make_unique<ConstantZeros>(groups, zero);
}

std::unique_ptr<QuantizedMatrix> format_matrix(FormatParts parts) {
  return std::make_unique<FormatMatrix>(std::move(parts));
}

std::size_t padded_zero_words(const MatrixShape& shape) {
  const std::size_t words = (shape.groups() + 7) / 8;
  const std::size_t unit = shape.group >= 128 ? 1 : shape.group == 64 ? 2 : 4;
  return (words + unit - 1) / unit * unit;
}

std::size_t rows_for(const MatrixShape& shape, std::size_t weights, std::size_t least) {
  const std::size_t wanted = std::max(weights / shape.columns, least);
  return std::max<std::size_t>(std::min(wanted, shape.rows) / 8 * 8, 8);
}

}  // namespace infernode
