// The unpacking loops for x86-64 with AVX2. Compiled with those instructions enabled, so it must
// not call inline functions of the standard library: the linker might use this copy for other CPUs
// as well. Without the flags the file only reports that it has no kernels.
#include "checkpoint/nibble_kernels.h"

#if defined(__x86_64__) && defined(__AVX2__)

#include <immintrin.h>

namespace infernode {
namespace {

__m256i load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
void store(void* to, __m256i value) { _mm256_storeu_si256(static_cast<__m256i*>(to), value); }
__m256i low_nibbles(__m256i bytes) { return _mm256_and_si256(bytes, _mm256_set1_epi8(15)); }
__m256i high_nibbles(__m256i bytes) { return low_nibbles(_mm256_srli_epi16(bytes, 4)); }

std::uint8_t nibble(std::uint32_t word, std::size_t i) {
  return static_cast<std::uint8_t>(word >> (4 * i) & 15);
}

// 8 rows of 8 words.
void transpose_square(const std::uint32_t* from, std::size_t from_stride, std::uint32_t* to,
                      std::size_t to_stride) {
  __m256i pairs[8], fours[8];
  for (std::size_t r = 0; r < 8; r += 2) {
    const __m256i even = load(from + r * from_stride);
    const __m256i odd = load(from + (r + 1) * from_stride);
    pairs[r] = _mm256_unpacklo_epi32(even, odd);
    pairs[r + 1] = _mm256_unpackhi_epi32(even, odd);
  }
  for (std::size_t half = 0; half < 8; half += 4) {
    fours[half] = _mm256_unpacklo_epi64(pairs[half], pairs[half + 2]);
    fours[half + 1] = _mm256_unpackhi_epi64(pairs[half], pairs[half + 2]);
    fours[half + 2] = _mm256_unpacklo_epi64(pairs[half + 1], pairs[half + 3]);
    fours[half + 3] = _mm256_unpackhi_epi64(pairs[half + 1], pairs[half + 3]);
  }
  for (std::size_t c = 0; c < 4; ++c) {
    store(to + c * to_stride, _mm256_permute2x128_si256(fours[c], fours[c + 4], 0x20));
    store(to + (c + 4) * to_stride, _mm256_permute2x128_si256(fours[c], fours[c + 4], 0x31));
  }
}

void transpose(const std::uint32_t* from, std::size_t from_stride, std::size_t rows,
               std::size_t columns, std::uint32_t* to, std::size_t to_stride) {
  const std::size_t whole_rows = rows / 8 * 8, whole_columns = columns / 8 * 8;
  for (std::size_t r = 0; r < whole_rows; r += 8) {
    for (std::size_t c = 0; c < whole_columns; c += 8) {
      transpose_square(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
    }
  }
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c) {
      to[c * to_stride + r] = from[r * from_stride + c];
    }
  }
}

void along(const std::uint32_t* words, std::size_t count, std::uint8_t* quants) {
  std::size_t w = 0;
  for (; w + 8 <= count; w += 8) {
    const __m256i bytes = load(words + w);
    const __m256i low = low_nibbles(bytes), high = high_nibbles(bytes);
    const __m256i first = _mm256_unpacklo_epi8(low, high);
    const __m256i second = _mm256_unpackhi_epi8(low, high);
    store(quants + 8 * w, _mm256_permute2x128_si256(first, second, 0x20));
    store(quants + 8 * w + 32, _mm256_permute2x128_si256(first, second, 0x31));
  }
  for (; w < count; ++w) {
    for (std::size_t i = 0; i < 8; ++i) quants[8 * w + i] = nibble(words[w], i);
  }
}

// Byte b of 32 words, for b = 0..3, in word order.
void split_bytes(const std::uint32_t* words, __m256i bytes[4]) {
  const __m256i by_place = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0,
                                            4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  __m256i v[4];
  for (std::size_t n = 0; n < 4; ++n) v[n] = _mm256_shuffle_epi8(load(words + 8 * n), by_place);
  const __m256i a = _mm256_unpacklo_epi32(v[0], v[1]), b = _mm256_unpacklo_epi32(v[2], v[3]);
  const __m256i c = _mm256_unpackhi_epi32(v[0], v[1]), d = _mm256_unpackhi_epi32(v[2], v[3]);
  bytes[0] = _mm256_permutevar8x32_epi32(_mm256_unpacklo_epi64(a, b), in_order);
  bytes[1] = _mm256_permutevar8x32_epi32(_mm256_unpackhi_epi64(a, b), in_order);
  bytes[2] = _mm256_permutevar8x32_epi32(_mm256_unpacklo_epi64(c, d), in_order);
  bytes[3] = _mm256_permutevar8x32_epi32(_mm256_unpackhi_epi64(c, d), in_order);
}

void across(const std::uint32_t* words, std::size_t count, const NibbleOrder& order,
            std::uint8_t* quants, std::size_t stride) {
  std::uint8_t* rows[8];
  const std::uint8_t* const places = reinterpret_cast<const std::uint8_t*>(&order);
  for (std::size_t i = 0; i < 8; ++i) rows[i] = quants + places[i] * stride;
  std::size_t k = 0;
  for (; k + 32 <= count; k += 32) {
    __m256i bytes[4];
    split_bytes(words + k, bytes);
    for (std::size_t b = 0; b < 4; ++b) {
      store(rows[2 * b] + k, low_nibbles(bytes[b]));
      store(rows[2 * b + 1] + k, high_nibbles(bytes[b]));
    }
  }
  for (; k < count; ++k) {
    for (std::size_t i = 0; i < 8; ++i) rows[i][k] = nibble(words[k], i);
  }
}

void shuffled(const std::uint8_t* bytes, std::size_t pairs, std::size_t pair_stride,
              std::uint8_t* quants) {
  // A block's even bytes hold quants 0..7 and 8..15, its odd ones 16..23 and 24..31.
  const __m256i even_first = _mm256_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15,
                                              0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    const __m256i two = _mm256_shuffle_epi8(load(bytes + pair * pair_stride), even_first);
    const __m256i low = low_nibbles(two), high = high_nibbles(two);
    const __m256i first = _mm256_unpacklo_epi64(low, high);
    const __m256i second = _mm256_unpackhi_epi64(low, high);
    store(quants + 64 * pair, _mm256_permute2x128_si256(first, second, 0x20));
    store(quants + 64 * pair + 32, _mm256_permute2x128_si256(first, second, 0x31));
  }
}

constexpr NibbleKernels kAvx2 = {"avx2", transpose, along, across, shuffled};

}  // namespace

const NibbleKernels* avx2_nibble_kernels() {
  return __builtin_cpu_supports("avx2") ? &kAvx2 : nullptr;
}

}  // namespace infernode

#else

namespace infernode {

const NibbleKernels* avx2_nibble_kernels() { return nullptr; }

}  // namespace infernode

#endif
