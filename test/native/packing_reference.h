// The scalar reference of pack_rows(): one weight at a time, in the simplest form, with its error
// measured on the bytes that were written. Slow on purpose; the vectorised packers are compared
// with it, so it shares no code with them except the fit of Q4_K.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "checkpoint/half_numbers.h"
#include "checkpoint/packing.h"
#include "checkpoint/packing_rules.h"
#include "checkpoint/q4_k_fit.h"

namespace infernode {

namespace {

constexpr std::size_t kBlock = 32;
constexpr std::size_t kSuperBlock = 256;

// Some of a row's weights, as stored in the checkpoint.
struct Weights {
  const GroupedRows* from;
  std::size_t row;
  std::size_t column;

  std::size_t group(std::size_t index) const {
    return row * from->groups() + (column + index) / from->group;
  }
  unsigned quant(std::size_t index) const {
    return from->quants[row * from->columns + column + index];
  }
  float scale(std::size_t index) const { return from->scales[group(index)]; }
  int zero(std::size_t index) const { return from->zeros[group(index)]; }
  int centred(std::size_t index) const { return static_cast<int>(quant(index)) - zero(index); }
  // Exact for up to 29 bits of scale and quant together, which double always represents.
  double value(std::size_t index) const {
    return static_cast<double>(scale(index)) * centred(index);
  }
  Weights at(std::size_t index) const { return {from, row, column + index}; }
};

template <typename Number>
void put(std::byte* out, Number number) {
  std::memcpy(out, &number, sizeof number);
}

template <typename Number>
Number get(const std::byte* at) {
  Number number;
  std::memcpy(&number, at, sizeof number);
  return number;
}

unsigned byte_at(const std::byte* at, std::size_t index) {
  return std::to_integer<unsigned>(at[index]);
}

// Nibble j is the low nibble of byte j, nibble j + 16 its high nibble.
void put_nibbles(const Weights& block, std::byte* out) {
  for (std::size_t j = 0; j < kBlock / 2; ++j)
    out[j] = static_cast<std::byte>(block.quant(j) | block.quant(j + kBlock / 2) << 4);
}

unsigned nibble(const std::byte* at, std::size_t index) {
  return byte_at(at, index % (kBlock / 2)) >> (index < kBlock / 2 ? 0 : 4) & 15;
}

// Writes one block, and computes the value that ggml gives a weight of it.
struct BlockFormat {
  void (*write)(const Weights& block, std::byte* out);
  double (*value)(const std::byte* block, std::size_t index);
};

double d_of(const std::byte* block) { return float_of_half(get<std::uint16_t>(block)); }

constexpr BlockFormat kQ4_0Format = {[](const Weights& block, std::byte* out) {
                                       put(out, half_of(block.scale(0)));
                                       put_nibbles(block, out + 2);
                                     },
                                     [](const std::byte* block, std::size_t index) {
                                       return d_of(block) *
                                              (static_cast<int>(nibble(block + 2, index)) - 8);
                                     }};

constexpr BlockFormat kQ4_1Format = {
    [](const Weights& block, std::byte* out) {
      put(out, half_of(block.scale(0)));
      put(out + 2, half_of(block.scale(0) * static_cast<float>(-block.zero(0))));
      put_nibbles(block, out + 4);
    },
    [](const std::byte* block, std::size_t index) {
      return d_of(block) * nibble(block + 4, index) + d_of(block + 2);
    }};

constexpr BlockFormat kQ5_0Format = {
    [](const Weights& block, std::byte* out) {
      std::uint32_t fifth = 0;
      for (std::size_t j = 0; j < kBlock; ++j)
        fifth |= static_cast<std::uint32_t>(block.centred(j) + 16) >> 4 << j;
      put(out, half_of(block.scale(0)));
      put(out + 2, fifth);
      for (std::size_t j = 0; j < kBlock / 2; ++j) {
        const int low = (block.centred(j) + 16) & 15;
        const int high = (block.centred(j + kBlock / 2) + 16) & 15;
        out[6 + j] = static_cast<std::byte>(low | high << 4);
      }
    },
    [](const std::byte* block, std::size_t index) {
      const unsigned fifth = get<std::uint32_t>(block + 2) >> index & 1;
      return d_of(block) * (static_cast<int>(nibble(block + 6, index) | fifth << 4) - 16);
    }};

constexpr BlockFormat kQ8_0Format = {[](const Weights& block, std::byte* out) {
                                       put(out, half_of(block.scale(0)));
                                       for (std::size_t j = 0; j < kBlock; ++j)
                                         put(out + 2 + j,
                                             static_cast<std::int8_t>(block.centred(j)));
                                     },
                                     [](const std::byte* block, std::size_t index) {
                                       return d_of(block) * get<std::int8_t>(block + 2 + index);
                                     }};

// 64 weights share 32 bytes: the first half is their low nibbles, the second their high ones.
void write_q4_k(const Weights& block, std::byte* out) {
  const auto half = [&](std::size_t index) {
    return StepAndOffset{block.scale(index),
                         block.scale(index) * static_cast<float>(block.zero(index))};
  };
  const Q4KFit fit = fit_q4_k(half(0), half(kSuperBlock / 2));
  std::array<std::uint8_t, kQ4KHead> head;
  fit.write_head(head);
  std::memcpy(out, head.data(), head.size());
  for (std::size_t j = 0; j < kSuperBlock / 2; ++j) {
    const std::size_t low = j / 32 * 64 + j % 32;
    out[kQ4KHead + j] = static_cast<std::byte>(block.quant(low) | block.quant(low + 32) << 4);
  }
}

double q4_k_value(const std::byte* block, std::size_t index) {
  const std::size_t part = index / 32;
  const std::byte* packed = block + 4;
  const unsigned scale =
      part < 4 ? byte_at(packed, part) & 63
               : (byte_at(packed, part + 4) & 15) | byte_at(packed, part - 4) >> 6 << 4;
  const unsigned minimum = part < 4
                               ? byte_at(packed, part + 4) & 63
                               : byte_at(packed, part + 4) >> 4 | byte_at(packed, part) >> 6 << 4;
  const unsigned pair = byte_at(block + kQ4KHead, index / 64 * 32 + index % 32);
  const unsigned quant = pair >> (index % 64 < 32 ? 0 : 4) & 15;
  return d_of(block) * scale * quant - d_of(block + 2) * minimum;
}

constexpr BlockFormat kQ4_KFormat = {write_q4_k, q4_k_value};

float product(const Weights& weight) {
  return weight.scale(0) * static_cast<float>(weight.centred(0));
}

constexpr BlockFormat kF32Format = {
    [](const Weights& weight, std::byte* out) { put(out, product(weight)); },
    [](const std::byte* block, std::size_t) { return static_cast<double>(get<float>(block)); }};
constexpr BlockFormat kF16Format = {
    [](const Weights& weight, std::byte* out) { put(out, half_of(product(weight))); },
    [](const std::byte* block, std::size_t) { return d_of(block); }};
constexpr BlockFormat kBf16Format = {
    [](const Weights& weight, std::byte* out) { put(out, bfloat_of(product(weight))); },
    [](const std::byte* block, std::size_t) {
      return static_cast<double>(float_of_bfloat(get<std::uint16_t>(block)));
    }};

const BlockFormat& format_of(PackedType type) {
  switch (type) {
    case PackedType::kF32:
      return kF32Format;
    case PackedType::kF16:
      return kF16Format;
    case PackedType::kBf16:
      return kBf16Format;
    case PackedType::kQ4_0:
      return kQ4_0Format;
    case PackedType::kQ4_1:
      return kQ4_1Format;
    case PackedType::kQ5_0:
      return kQ5_0Format;
    case PackedType::kQ4_K:
      return kQ4_KFormat;
    default:
      return kQ8_0Format;
  }
}

// A weight whose step is 0 is 0, and is written as 0.
void add_error(const Weights& weight, double value, PackingError& error) {
  ++error.weights;
  const double step = std::abs(static_cast<double>(weight.scale(0)));
  if (step == 0) return;
  const double steps = std::abs(value - weight.value(0)) / step;
  error.worst = std::max(error.worst, steps);
  error.squares += steps * steps;
}

}  // namespace

inline void pack_rows_reference(const GroupedRows& rows, PackedType type, std::span<std::byte> out,
                                PackingError* error) {
  check_packable(rows, type, out.size());
  const BlockFormat& format = format_of(type);
  const std::size_t block = packed_block(type);
  const std::size_t bytes = packed_row_bytes(type, block);
  std::byte* at = out.data();
  for (std::size_t row = 0; row < rows.rows; ++row) {
    for (std::size_t column = 0; column < rows.columns; column += block, at += bytes) {
      const Weights weights{&rows, row, column};
      format.write(weights, at);
      for (std::size_t j = 0; error != nullptr && j < block; ++j)
        add_error(weights.at(j), format.value(at, j), *error);
    }
  }
}

}  // namespace infernode
