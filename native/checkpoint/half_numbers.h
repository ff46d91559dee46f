// Conversion between float and the 16-bit formats of checkpoints, f16 and bf16. Rounds to nearest,
// ties to even. Must not be included by files compiled for one instruction set: the linker could
// use their copy of an inline function in code for other CPUs. Pure; any thread.
#pragma once

#include <bit>
#include <cstdint>

namespace infernode {

constexpr float kLargestHalf = 65504.0f;  // of f16
// From here on a number rounds to infinity in f16.
constexpr float kHalfOverflow = 65520.0f;

// f16 of a finite number or an infinity; numbers out of range become infinite.
inline std::uint16_t half_of(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  const std::uint32_t sign = (bits >> 16) & 0x8000;
  const std::uint32_t size = bits & 0x7fffffff;
  std::uint32_t half = 0;
  if (size >= std::bit_cast<std::uint32_t>(kHalfOverflow)) {
    half = 0x7c00;
  } else if (size >= 0x38800000) {  // normal: at least 2^-14
    half = (size + 0xfff + ((size >> 13) & 1) - 0x38000000) >> 13;
  } else {
    // A multiple of 2^-24: adding 0.5 aligns the last bit to keep with a float's last bit.
    const float shifted = std::bit_cast<float>(size) + 0.5f;
    half = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5f);
  }
  return static_cast<std::uint16_t>(sign | half);
}

inline float float_of_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  const std::uint32_t size = half & 0x7fff;
  if (size >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (size & 0x3ff) << 13);
  if (size >= 0x0400) return std::bit_cast<float>(sign | ((size << 13) + 0x38000000));
  return std::bit_cast<float>(sign |
                              std::bit_cast<std::uint32_t>(static_cast<float>(size) * 0x1p-24f));
}

inline std::uint16_t bfloat_of(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float float_of_bfloat(std::uint16_t number) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(number) << 16);
}

}  // namespace infernode
