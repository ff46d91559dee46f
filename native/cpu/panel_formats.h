// How a block of 32 quantized weights becomes what the panel kernels multiply: unsigned bytes,
// of which each stands for (byte - kOffset) * scale + minimum. A new type is one struct here.
#pragma once

#include "measured_sets.h"

#ifdef INFERNODE_MEASURED_AVX512_VNNI
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#define GGML_COMMON_IMPL_CPP  // for the tables
#include "ggml-common.h"
#include "quants.h"

namespace infernode_panels {

// A block's scale comes first, its minimum second.
static_assert(QK8_0 == 32 && QK4_1 == 32 && QK5_0 == 32 && QK5_1 == 32 && QK8_1 == 32);
static_assert(sizeof(block_q8_0) == 34 && sizeof(block_q8_1) == 36);
static_assert(offsetof(block_q8_0, d) == 0 && offsetof(block_q5_0, d) == 0);
static_assert(offsetof(block_q4_0, d) == 0 && offsetof(block_iq4_nl, d) == 0);
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

// 16 bytes of each of four blocks, at(0) to at(3).
template <typename At>
__m512i four_times_16(const At& at) {
  const auto load = [&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at(i))); };
  __m512i all = _mm512_castsi128_si512(load(0));
  all = _mm512_inserti32x4(all, load(1), 1);
  all = _mm512_inserti32x4(all, load(2), 2);
  return _mm512_inserti32x4(all, load(3), 3);
}

// The low and the high halves of bytes.
inline __m512i low_nibbles(__m512i pairs) {
  return _mm512_and_si512(pairs, _mm512_set1_epi8(0x0f));
}
inline __m512i high_nibbles(__m512i pairs) { return low_nibbles(_mm512_srli_epi16(pairs, 4)); }

// The fifth bit of 16 values of each of four blocks, where bytes kFirst and kFirst + 1 of each
// lane of `bits` have them.
template <int kFirst>
__m512i with_fifth_bits(__m512i nibbles, __m512i bits) {
  const __m512i spread = _mm512_shuffle_epi8(
      bits, _mm512_broadcast_i32x4(
                _mm_set_epi64x(0x0101010101010101 * (kFirst + 1), 0x0101010101010101 * kFirst)));
  const __mmask64 set =
      _mm512_test_epi8_mask(spread, _mm512_set1_epi64(static_cast<long long>(0x8040201008040201)));
  return _mm512_mask_add_epi8(nibbles, set, nibbles, _mm512_set1_epi8(0x10));
}

struct Q8_0 {
  using Block = block_q8_0;
  using Batch = block_q8_0;
  static constexpr std::int32_t kOffset = 128;
  static constexpr bool kHasMinimum = false;
  static constexpr bool kPairs = false;  // of values in a byte
  static __m256i bytes(const Block& block) {
    return _mm256_xor_si256(load_bytes(block.qs), _mm256_set1_epi8(static_cast<char>(0x80)));
  }
};

// Two values in a byte.
template <typename BlockType>
struct FourBits {
  using Block = BlockType;
  static constexpr bool kPairs = true;
  static __m256i bytes(const Block& block) { return load_nibbles(block.qs); }
  // The first and the second halves of four blocks, at(0) to at(3).
  template <typename At>
  static void read_four(const At& at, __m512i& first, __m512i& second) {
    const __m512i pairs = four_times_16([&](int i) { return at(i).qs; });
    first = low_nibbles(pairs);
    second = high_nibbles(pairs);
  }
};

// And a fifth bit of each elsewhere.
template <typename BlockType>
struct FiveBits {
  using Block = BlockType;
  static constexpr bool kPairs = true;
  static __m256i bytes(const Block& block) {
    return with_high_bits(load_nibbles(block.qs), block.qh);
  }
  template <typename At>
  static void read_four(const At& at, __m512i& first, __m512i& second) {
    FourBits<Block>::read_four(at, first, second);
    const __m512i bits = four_times_16([&](int i) { return at(i).qh; });
    first = with_fifth_bits<0>(first, bits);
    second = with_fifth_bits<2>(second, bits);
  }
};

struct Q4_0 : FourBits<block_q4_0> {
  using Batch = block_q8_0;
  static constexpr std::int32_t kOffset = 8;
  static constexpr bool kHasMinimum = false;
};

struct Q5_0 : FiveBits<block_q5_0> {
  using Batch = block_q8_0;
  static constexpr std::int32_t kOffset = 16;
  static constexpr bool kHasMinimum = false;
};

struct Q4_1 : FourBits<block_q4_1> {
  using Batch = block_q8_1;
  static constexpr std::int32_t kOffset = 0;
  static constexpr bool kHasMinimum = true;
};

struct Q5_1 : FiveBits<block_q5_1> {
  using Batch = block_q8_1;
  static constexpr std::int32_t kOffset = 0;
  static constexpr bool kHasMinimum = true;
};

// Each nibble is the place of a number in a table.
struct IQ4_NL : FourBits<block_iq4_nl> {
  using Batch = block_q8_0;
  static constexpr std::int32_t kOffset = 128;
  static constexpr bool kHasMinimum = false;
  static __m128i table() {
    return _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(kvalues_iq4nl)),
                         _mm_set1_epi8(-128));
  }
  static __m256i bytes(const Block& block) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table()), load_nibbles(block.qs));
  }
  template <typename At>
  static void read_four(const At& at, __m512i& first, __m512i& second) {
    FourBits<Block>::read_four(at, first, second);
    const __m512i numbers = _mm512_broadcast_i32x4(table());
    first = _mm512_shuffle_epi8(numbers, first);
    second = _mm512_shuffle_epi8(numbers, second);
  }
};

}  // namespace infernode_panels
#endif
