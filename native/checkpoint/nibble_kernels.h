// Loops that unpack the 4-bit words of quantized checkpoints, behind a table of function pointers:
// portable C++, and AVX2 if the CPU has it, with results equal to the bit. They implement bit
// orders, not formats, and allocate nothing. Any thread may call them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace infernode {

// The index among 8 outputs that nibble i (bits 4i to 4i+3) of a word holds.
using NibbleOrder = std::array<std::uint8_t, 8>;
constexpr NibbleOrder kNaturalOrder = {0, 1, 2, 3, 4, 5, 6, 7};
constexpr NibbleOrder kAwqOrder = {0, 2, 4, 6, 1, 3, 5, 7};

struct NibbleKernels {
  const char* name;

  // to[c * to_stride + r] = from[r * from_stride + c], strides in words.
  void (*transpose)(const std::uint32_t* from, std::size_t from_stride, std::size_t rows,
                    std::size_t columns, std::uint32_t* to, std::size_t to_stride);

  // quants[8 * w + i] = nibble i of words[w].
  void (*along)(const std::uint32_t* words, std::size_t count, std::uint8_t* quants);

  // quants[order[i] * stride + k] = nibble i of words[k]: 8 rows of `count` quants.
  void (*across)(const std::uint32_t* words, std::size_t count, const NibbleOrder& order,
                 std::uint8_t* quants, std::size_t stride);

  // AutoAWQ's gemv_fast: blocks of 16 bytes, 32 quants of one row each. With word a = 0..3 of
  // a block, its nibble i holds quant 8 * (i % 4) + 2 * a + i / 4. Blocks come in pairs that
  // lie side by side, pairs `pair_stride` bytes apart; `pairs` of them are unpacked.
  void (*shuffled)(const std::uint8_t* bytes, std::size_t pairs, std::size_t pair_stride,
                   std::uint8_t* quants);
};

const NibbleKernels& generic_nibble_kernels();
const NibbleKernels* avx2_nibble_kernels();  // nullptr if this build or CPU has no AVX2
const NibbleKernels& best_nibble_kernels();

}  // namespace infernode
