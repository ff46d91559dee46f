// Loops that compilers vectorise automatically, for any instruction set: included by one file per
// instruction set, each of which compiles its own copy. So everything here has internal linkage and
// calls no inline function of the standard library, which the linker might share between them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "checkpoint/packing_kernels.h"

namespace infernode {
namespace {

constexpr std::size_t kPackedBlock = 32;

[[maybe_unused]] void nibbles_loop(const std::uint8_t* quants, std::size_t blocks,
                                   const std::uint8_t* head, std::size_t head_bytes,
                                   std::uint8_t* out) {
  for (std::size_t block = 0; block < blocks; ++block, quants += kPackedBlock) {
    __builtin_memcpy(out, head, head_bytes);
    out += head_bytes;
    for (std::size_t j = 0; j < 16; ++j)
      out[j] = static_cast<std::uint8_t>(quants[j] | quants[j + 16] << 4);
    out += 16;
  }
}

void q8_0_loop(const std::uint8_t* quants, std::size_t blocks, std::uint16_t d, int zero,
               std::uint8_t* out) {
  const auto less = static_cast<std::uint8_t>(zero);
  for (std::size_t block = 0; block < blocks; ++block, quants += kPackedBlock) {
    __builtin_memcpy(out, &d, sizeof d);
    out += sizeof d;
    for (std::size_t j = 0; j < kPackedBlock; ++j)
      out[j] = static_cast<std::uint8_t>(quants[j] - less);
    out += kPackedBlock;
  }
}

[[maybe_unused]] void super_block_loop(const std::uint8_t* quants, std::uint8_t* out) {
  for (std::size_t part = 0; part < 4; ++part, quants += 64, out += 32) {
    for (std::size_t j = 0; j < 32; ++j)
      out[j] = static_cast<std::uint8_t>(quants[j] | quants[j + 32] << 4);
  }
}

void products_loop(const std::uint8_t* quants, std::size_t count, float scale, int zero,
                   float* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = scale * static_cast<float>(quants[i] - zero);
}

QuantSums sums_loop(const std::uint8_t* quants, std::size_t count) {
  std::uint8_t least = 255, largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    least = quants[i] < least ? quants[i] : least;
    largest = quants[i] > largest ? quants[i] : largest;
  }
  std::uint32_t sum = 0, squares = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto quant = static_cast<std::uint16_t>(quants[i]);
    sum += quant;
    squares += static_cast<std::uint16_t>(quant * quant);
  }
  return {least, largest, sum, squares};
}

std::uint32_t bits_of(float number) { return __builtin_bit_cast(std::uint32_t, number); }

void to_bfloats_loop(const float* numbers, std::size_t count, std::uint16_t* out) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bits = bits_of(numbers[i]);
    out[i] = static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
}

void from_bfloats_loop(const std::uint16_t* numbers, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i)
    out[i] = __builtin_bit_cast(float, static_cast<std::uint32_t>(numbers[i]) << 16);
}

std::uint32_t largest_bits_loop(const float* numbers, std::size_t count) {
  std::int32_t largest = 0;  // signed, as old instruction sets have only signed compares
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = static_cast<std::int32_t>(bits_of(numbers[i]) & 0x7fffffff);
    largest = bits > largest ? bits : largest;
  }
  return static_cast<std::uint32_t>(largest);
}

// Rounds half away from zero, as roundf() does: the truncated part is exact in float.
void round_block(const float* numbers, float inverse, std::uint8_t* out) {
  std::int32_t quants[kPackedBlock];
  for (std::size_t j = 0; j < kPackedBlock; ++j) {
    const float number = numbers[j] * inverse;
    const auto whole = static_cast<std::int32_t>(number);
    const float rest = number - static_cast<float>(whole);
    quants[j] = whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
  }
  for (std::size_t j = 0; j < kPackedBlock; ++j) out[j] = static_cast<std::uint8_t>(quants[j]);
}

// 1 / d, or 0 where that is infinite: d below 2^-127, which f16 rounds to 0.
float inverse_of(float d) {
  const float inverse = d == 0 ? 0 : 1 / d;
  return inverse > 3.4028235e38f ? 0 : inverse;
}

}  // namespace
}  // namespace infernode
