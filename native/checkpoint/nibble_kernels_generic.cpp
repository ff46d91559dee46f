// The unpacking loops in portable C++, which are the reference of the vectorised ones, and the
// choice between them.
#include "checkpoint/nibble_kernels.h"

namespace infernode {
namespace {

std::uint8_t nibble(std::uint32_t word, std::size_t i) {
  return static_cast<std::uint8_t>(word >> (4 * i) & 15);
}

void transpose(const std::uint32_t* from, std::size_t from_stride, std::size_t rows,
               std::size_t columns, std::uint32_t* to, std::size_t to_stride) {
  for (std::size_t c = 0; c < columns; ++c) {
    for (std::size_t r = 0; r < rows; ++r) to[c * to_stride + r] = from[r * from_stride + c];
  }
}

void along(const std::uint32_t* words, std::size_t count, std::uint8_t* quants) {
  for (std::size_t w = 0; w < count; ++w) {
    for (std::size_t i = 0; i < 8; ++i) quants[8 * w + i] = nibble(words[w], i);
  }
}

void across(const std::uint32_t* words, std::size_t count, const NibbleOrder& order,
            std::uint8_t* quants, std::size_t stride) {
  for (std::size_t i = 0; i < 8; ++i) {
    std::uint8_t* const row = quants + order[i] * stride;
    for (std::size_t k = 0; k < count; ++k) row[k] = nibble(words[k], i);
  }
}

void shuffled(const std::uint8_t* bytes, std::size_t pairs, std::size_t pair_stride,
              std::uint8_t* quants) {
  for (std::size_t block = 0; block < 2 * pairs; ++block) {
    const std::uint8_t* const from = bytes + block / 2 * pair_stride + block % 2 * 16;
    std::uint8_t* const to = quants + 32 * block;
    for (std::size_t n = 0; n < 32; ++n) {  // nibble n % 8 of word n / 8
      const std::uint8_t pair = from[n / 2];
      const std::size_t i = n % 8;
      to[8 * (i % 4) + n / 8 * 2 + i / 4] = n % 2 == 0 ? pair & 15 : pair >> 4;
    }
  }
}

constexpr NibbleKernels kGeneric = {"generic", transpose, along, across, shuffled};

}  // namespace

const NibbleKernels& generic_nibble_kernels() { return kGeneric; }

#if !defined(__x86_64__)
const NibbleKernels* avx2_nibble_kernels() { return nullptr; }
#endif

const NibbleKernels& best_nibble_kernels() {
  static const NibbleKernels* const best =
      avx2_nibble_kernels() != nullptr ? avx2_nibble_kernels() : &kGeneric;
  return *best;
}

}  // namespace infernode
