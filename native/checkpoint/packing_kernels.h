// The per-weight loops of packing, behind a table of function pointers: generic C++ and AVX2,
// chosen once per process by the CPU's features. Internal to packing and its tests. They access
// only their arguments and do not check them: any thread may call them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "checkpoint/packing.h"

namespace infernode {

// Statistics of some quants that suffice for any error that is linear in the quant.
struct QuantSums {
  std::uint32_t least;
  std::uint32_t largest;
  std::uint32_t sum;
  std::uint32_t squares;
};

// sums() counts in 32 bits: 255 squared times this many does not overflow.
constexpr std::size_t kMostSummed = 1 << 16;

struct PackingKernels {
  const char* name;

  // Blocks of 32 4-bit quants as nibbles, each preceded by the same `head_bytes` of `head`.
  void (*nibbles)(const std::uint8_t* quants, std::size_t blocks, const std::uint8_t* head,
                  std::size_t head_bytes, std::uint8_t* out);
  // Blocks of Q5_0: quant - zero + 16.
  void (*q5_0)(const std::uint8_t* quants, std::size_t blocks, std::uint16_t d, int zero,
               std::uint8_t* out);
  // Blocks of Q8_0: quant - zero.
  void (*q8_0)(const std::uint8_t* quants, std::size_t blocks, std::uint16_t d, int zero,
               std::uint8_t* out);
  // 256 quants of 4 bits as the 128 bytes of a super-block.
  void (*super_block)(const std::uint8_t* quants, std::uint8_t* out);
  // scale * (quant - zero).
  void (*products)(const std::uint8_t* quants, std::size_t count, float scale, int zero,
                   float* out);
  QuantSums (*sums)(const std::uint8_t* quants, std::size_t count);  // at most kMostSummed

  // Rounds to nearest, ties to even. The floats are finite.
  void (*to_halves)(const float* numbers, std::size_t count, std::uint16_t* out);
  void (*from_halves)(const std::uint16_t* numbers, std::size_t count, float* out);
  void (*to_bfloats)(const float* numbers, std::size_t count, std::uint16_t* out);
  void (*from_bfloats)(const std::uint16_t* numbers, std::size_t count, float* out);
  // The bits of the number with the largest magnitude, without its sign: NaN and infinity compare
  // largest.
  std::uint32_t (*largest_bits)(const float* numbers, std::size_t count);
  // Blocks of Q8_0 as ggml's reference makes them from finite floats.
  void (*q8_0_of_floats)(const float* numbers, std::size_t blocks, std::uint8_t* out);
};

const PackingKernels& generic_packing_kernels();
// Null if this build or this CPU lacks the instructions.
const PackingKernels* avx2_packing_kernels();

const PackingKernels& best_packing_kernels();

// pack_rows() and pack_plain() with kernels of the caller's choice.
void pack_rows_with(const PackingKernels& kernels, const GroupedRows& rows, PackedType type,
                    std::span<std::byte> out, PackingError* error);
void pack_plain_with(const PackingKernels& kernels, std::span<const std::byte> numbers,
                     TensorDtype from, PackedType type, std::size_t columns,
                     std::span<std::byte> out, const std::string& label);

}  // namespace infernode
