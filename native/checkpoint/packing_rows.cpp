// pack_rows(): rows of blocks through kernels. Everything decided per group is decided here, once:
// the f16 numbers of its blocks, and its error, which is linear in the quant, so that no weight is
// read for it if f16 can represent the scale.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "checkpoint/half_numbers.h"
#include "checkpoint/packing.h"
#include "checkpoint/packing_kernels.h"
#include "checkpoint/packing_rules.h"
#include "checkpoint/q4_k_fit.h"

namespace infernode {

namespace {

constexpr std::size_t kBlock = 32;
constexpr std::size_t kSuperBlock = 256;
constexpr std::size_t kHalf = kSuperBlock / 2;

// Quants that share a scale, or part of them.
struct Group {
  const std::uint8_t* quants;
  std::size_t count;
  float scale;
  int zero;
};

class RowPacker {
 public:
  RowPacker(const PackingKernels& kernels, const GroupedRows& rows, PackedType type,
            PackingError* error)
      : kernels_(kernels), rows_(rows), type_(type), error_(error), scales_(rows.groups()) {
    if (type == PackedType::kQ4_1) {
      products_.resize(rows.groups());
      offsets_.resize(rows.groups());
    }
  }

  void pack(std::size_t row, std::uint8_t* out) {
    const std::size_t first = row * rows_.groups();
    kernels_.to_halves(&rows_.scales[first], scales_.size(), scales_.data());
    if (type_ == PackedType::kQ4_1) find_offsets(first);
    const std::size_t bytes = packed_row_bytes(type_, packed_block(type_));
    const std::size_t group_bytes = rows_.group / packed_block(type_) * bytes;
    for (std::size_t i = 0; type_ != PackedType::kQ4_K && i < rows_.groups(); ++i)
      pack_group(group(row, i), i, out + i * group_bytes);
    for (std::size_t i = 0; type_ == PackedType::kQ4_K && i < rows_.columns / kSuperBlock; ++i)
      pack_super_block(row, i * kSuperBlock, out + i * bytes);
  }

 private:
  Group group(std::size_t row, std::size_t index) const {
    const std::size_t at = row * rows_.groups() + index;
    return {&rows_.quants[row * rows_.columns + index * rows_.group], rows_.group, rows_.scales[at],
            rows_.zeros[at]};
  }

  // f16 of -zero * scale, which is +0 if either factor is 0.
  void find_offsets(std::size_t first) {
    for (std::size_t i = 0; i < offsets_.size(); ++i)
      products_[i] = rows_.scales[first + i] * static_cast<float>(-rows_.zeros[first + i]);
    kernels_.to_halves(products_.data(), products_.size(), offsets_.data());
  }

  void pack_group(const Group& group, std::size_t index, std::uint8_t* out) {
    const std::size_t blocks = group.count / kBlock;
    const std::array<std::uint16_t, 2> head = {
        scales_[index], type_ == PackedType::kQ4_1 ? offsets_[index] : std::uint16_t{0}};
    std::array<std::uint8_t, sizeof head> bytes;
    std::memcpy(bytes.data(), head.data(), sizeof head);
    const double written = float_of_half(head[0]);
    double constant = -written * group.zero;
    switch (type_) {
      case PackedType::kQ4_0:
        kernels_.nibbles(group.quants, blocks, bytes.data(), 2, out);
        break;
      case PackedType::kQ4_1:
        kernels_.nibbles(group.quants, blocks, bytes.data(), 4, out);
        constant = float_of_half(head[1]);
        break;
      case PackedType::kQ5_0:
        kernels_.q5_0(group.quants, blocks, head[0], group.zero, out);
        break;
      case PackedType::kQ8_0:
        kernels_.q8_0(group.quants, blocks, head[0], group.zero, out);
        break;
      default:
        return pack_numbers(group, out);
    }
    const double scale = group.scale;
    add_error(group, {written - scale, constant + scale * group.zero});
  }

  void pack_super_block(std::size_t row, std::size_t column, std::uint8_t* out) {
    std::array<Group, 2> halves;
    std::array<StepAndOffset, 2> wanted;
    for (std::size_t i = 0; i < 2; ++i) {
      const std::size_t begin = column + i * kHalf;
      halves[i] = group(row, begin / rows_.group);
      halves[i].quants = &rows_.quants[row * rows_.columns + begin];
      halves[i].count = kHalf;
      wanted[i] = {halves[i].scale, halves[i].scale * static_cast<float>(halves[i].zero)};
    }
    const Q4KFit fit = fit_q4_k(wanted[0], wanted[1]);
    fit.write_head(std::span<std::uint8_t, kQ4KHead>(out, kQ4KHead));
    kernels_.super_block(halves[0].quants, out + kQ4KHead);
    for (std::size_t i = 0; i < 2; ++i) {
      const double step = halves[i].scale;
      add_error(halves[i], fit.error(i, step, step * halves[i].zero));
    }
  }

  // Plain numbers, whose error is the rounding of each one.
  void pack_numbers(const Group& group, std::uint8_t* out) {
    std::array<float, kSuperBlock> products;
    std::array<std::uint16_t, kSuperBlock> rounded;
    const std::size_t bytes = packed_row_bytes(type_, 1);
    for (std::size_t done = 0; done < group.count; done += products.size()) {
      const std::size_t count = std::min(products.size(), group.count - done);
      kernels_.products(group.quants + done, count, group.scale, group.zero, products.data());
      const void* from = products.data();
      if (type_ == PackedType::kF16) kernels_.to_halves(products.data(), count, rounded.data());
      if (type_ == PackedType::kBf16) kernels_.to_bfloats(products.data(), count, rounded.data());
      if (type_ != PackedType::kF32) from = rounded.data();
      std::memcpy(out + done * bytes, from, count * bytes);
      if (error_ == nullptr) continue;
      if (type_ == PackedType::kF16) kernels_.from_halves(rounded.data(), count, products.data());
      if (type_ == PackedType::kBf16) kernels_.from_bfloats(rounded.data(), count, products.data());
      for (std::size_t i = 0; i < count; ++i)
        add_weight(group, group.quants[done + i], products[i]);
    }
  }

  void add_weight(const Group& group, std::uint8_t quant, float written) {
    ++error_->weights;
    if (group.scale == 0) return;
    const double scale = group.scale;
    const double steps = std::abs(written - scale * (quant - group.zero)) / std::abs(scale);
    error_->worst = std::max(error_->worst, steps);
    error_->squares += steps * steps;
  }

  // The written value minus the intended one is slope * quant + constant.
  void add_error(const Group& group, const Q4KFit::Error& difference) {
    if (error_ == nullptr) return;
    error_->weights += group.count;
    if (group.scale == 0) return;
    const double slope = difference.slope / group.scale;
    const double constant = difference.constant / group.scale;
    const auto count = static_cast<double>(group.count);
    if (slope == 0) {
      error_->worst = std::max(error_->worst, std::abs(constant));
      error_->squares += count * constant * constant;
      return;
    }
    for (std::size_t done = 0; done < group.count; done += kMostSummed)
      add_sums(kernels_.sums(group.quants + done, std::min(kMostSummed, group.count - done)), slope,
               constant);
    error_->squares += count * constant * constant;
  }

  void add_sums(const QuantSums& sums, double slope, double constant) {
    error_->worst = std::max({error_->worst, std::abs(slope * sums.least + constant),
                              std::abs(slope * sums.largest + constant)});
    error_->squares += slope * (slope * sums.squares + 2 * constant * sums.sum);
  }

  const PackingKernels& kernels_;
  const GroupedRows& rows_;
  const PackedType type_;
  PackingError* const error_;
  std::vector<std::uint16_t> scales_;  // of the row's groups, in f16
  std::vector<float> products_;
  std::vector<std::uint16_t> offsets_;
};

}  // namespace

void pack_rows_with(const PackingKernels& kernels, const GroupedRows& rows, PackedType type,
                    std::span<std::byte> out, PackingError* error) {
  check_packable(rows, type, out.size());
  RowPacker packer(kernels, rows, type, error);
  const std::size_t bytes = packed_row_bytes(type, rows.columns);
  auto* const begin = reinterpret_cast<std::uint8_t*>(out.data());
  for (std::size_t row = 0; row < rows.rows; ++row) packer.pack(row, begin + row * bytes);
}

void pack_rows(const GroupedRows& rows, PackedType type, std::span<std::byte> out,
               PackingError* error) {
  pack_rows_with(best_packing_kernels(), rows, type, out, error);
}

}  // namespace infernode
