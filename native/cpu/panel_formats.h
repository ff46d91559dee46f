// How a block of 32 quantized weights becomes what the panel kernels multiply: unsigned bytes,
// of which each stands for (byte - kOffset) * scale + minimum. A new type is one struct here.
#pragma once

#include "measured_sets.h"

#ifdef INFERNODE_MEASURED_AVX512_VNNI
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "quants.h"

namespace infernode_panels {

// A block's scale comes first, its minimum second.
static_assert(QK8_0 == 32 && QK4_1 == 32 && QK5_0 == 32 && QK5_1 == 32 && QK8_1 == 32);
static_assert(sizeof(block_q8_0) == 34 && sizeof(block_q8_1) == 36);
static_assert(offsetof(block_q8_0, d) == 0 && offsetof(block_q5_0, d) == 0);
static_assert(offsetof(block_q4_1, d) == 0 && offsetof(block_q4_1, m) == 2);
static_assert(offsetof(block_q5_1, d) == 0 && offsetof(block_q5_1, m) == 2);
static_assert(offsetof(block_q8_1, d) == 0 && offsetof(block_q8_1, qs) == 4);

inline __m256i load_bytes(const void* values) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(values));
}

// Two values to a byte: the first 16 of a block in the low halves.
inline __m256i load_nibbles(const std::uint8_t* values) {
  const __m128i pairs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values));
  const __m256i both =
      _mm256_inserti128_si256(_mm256_castsi128_si256(pairs), _mm_srli_epi16(pairs, 4), 1);
  return _mm256_and_si256(both, _mm256_set1_epi8(0x0f));
}

// The fifth bit of each of 32 values.
inline __m256i with_high_bits(__m256i nibbles, const std::uint8_t* bits) {
  std::uint32_t mask;
  std::memcpy(&mask, bits, sizeof mask);
  return _mm256_or_si256(nibbles, _mm256_maskz_set1_epi8(mask, 0x10));
}

struct Q8_0 {
  using Block = block_q8_0;
  using Batch = block_q8_0;
  static constexpr std::int32_t kOffset = 128;
  static constexpr bool kHasMinimum = false;
  static __m256i bytes(const Block& block) {
    return _mm256_xor_si256(load_bytes(block.qs), _mm256_set1_epi8(static_cast<char>(0x80)));
  }
};

struct Q5_0 {
  using Block = block_q5_0;
  using Batch = block_q8_0;
  static constexpr std::int32_t kOffset = 16;
  static constexpr bool kHasMinimum = false;
  static __m256i bytes(const Block& block) {
    return with_high_bits(load_nibbles(block.qs), block.qh);
  }
};

struct Q4_1 {
  using Block = block_q4_1;
  using Batch = block_q8_1;
  static constexpr std::int32_t kOffset = 0;
  static constexpr bool kHasMinimum = true;
  static __m256i bytes(const Block& block) { return load_nibbles(block.qs); }
};

struct Q5_1 {
  using Block = block_q5_1;
  using Batch = block_q8_1;
  static constexpr std::int32_t kOffset = 0;
  static constexpr bool kHasMinimum = true;
  static __m256i bytes(const Block& block) {
    return with_high_bits(load_nibbles(block.qs), block.qh);
  }
};

}  // namespace infernode_panels
#endif
