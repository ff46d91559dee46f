// The packing loops in plain C++, for any CPU, and the choice of the best kernels.
#include "checkpoint/half_numbers.h"
#include "checkpoint/packing_kernels.h"
#include "checkpoint/packing_loops.h"

namespace infernode {
namespace {

void q5_0_generic(const std::uint8_t* quants, std::size_t blocks, std::uint16_t d, int zero,
                  std::uint8_t* out) {
  for (std::size_t block = 0; block < blocks; ++block, quants += kPackedBlock, out += 22) {
    std::uint8_t moved[kPackedBlock];
    std::uint32_t fifth = 0;
    for (std::size_t j = 0; j < kPackedBlock; ++j)
      moved[j] = static_cast<std::uint8_t>(quants[j] + 16 - zero);
    for (std::size_t j = 0; j < kPackedBlock; ++j)
      fifth |= static_cast<std::uint32_t>(moved[j] >> 4) << j;
    __builtin_memcpy(out, &d, sizeof d);
    __builtin_memcpy(out + 2, &fifth, sizeof fifth);
    for (std::size_t j = 0; j < 16; ++j)
      out[6 + j] = static_cast<std::uint8_t>((moved[j] & 15) | (moved[j + 16] & 15) << 4);
  }
}

void to_halves_generic(const float* numbers, std::size_t count, std::uint16_t* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = half_of(numbers[i]);
}

void from_halves_generic(const std::uint16_t* numbers, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = float_of_half(numbers[i]);
}

void q8_0_of_floats_generic(const float* numbers, std::size_t blocks, std::uint8_t* out) {
  for (std::size_t block = 0; block < blocks; ++block, numbers += kPackedBlock, out += 34) {
    const float d = std::bit_cast<float>(largest_bits_loop(numbers, kPackedBlock)) / 127;
    const std::uint16_t half = half_of(d);
    __builtin_memcpy(out, &half, sizeof half);
    round_block(numbers, inverse_of(d), out + 2);
  }
}

constexpr PackingKernels kGeneric{"generic",
                                  nibbles_loop,
                                  q5_0_generic,
                                  q8_0_loop,
                                  super_block_loop,
                                  products_loop,
                                  sums_loop,
                                  to_halves_generic,
                                  from_halves_generic,
                                  to_bfloats_loop,
                                  from_bfloats_loop,
                                  largest_bits_loop,
                                  q8_0_of_floats_generic};

}  // namespace

const PackingKernels& generic_packing_kernels() { return kGeneric; }

#if !defined(__x86_64__)
const PackingKernels* avx2_packing_kernels() { return nullptr; }
#endif

const PackingKernels& best_packing_kernels() {
  const PackingKernels* avx2 = avx2_packing_kernels();
  return avx2 != nullptr ? *avx2 : kGeneric;
}

}  // namespace infernode
