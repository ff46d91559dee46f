// How a block of 32 quantized weights is converted for the panel kernels: unsigned bytes, each of
// which means (byte - kOffset) * scale + minimum. A new type is one struct here.
#pragma once

#include "lanes.h"

#ifdef INFERNODE_PANELS
#include <cstddef>
#include <cstdint>
#include <cstring>

#define GGML_COMMON_IMPL_CPP  // for the tables
#include "ggml-common.h"
#include "quants.h"

namespace infernode_panels {

// A block's scale is stored first, its minimum second.
static_assert(QK8_0 == 32 && QK4_1 == 32 && QK5_0 == 32 && QK5_1 == 32 && QK8_1 == 32);
static_assert(sizeof(block_q8_0) == 34 && sizeof(block_q8_1) == 36);
static_assert(offsetof(block_q8_0, d) == 0 && offsetof(block_q5_0, d) == 0);
static_assert(offsetof(block_q4_0, d) == 0 && offsetof(block_iq4_nl, d) == 0);
static_assert(offsetof(block_q4_1, d) == 0 && offsetof(block_q4_1, m) == 2);
static_assert(offsetof(block_q5_1, d) == 0 && offsetof(block_q5_1, m) == 2);
static_assert(offsetof(block_q8_1, d) == 0 && offsetof(block_q8_1, qs) == 4);

// Two values per byte: the first 16 of a block in the low nibbles.
inline __m256i load_nibbles(const std::uint8_t* values) {
  const __m128i pairs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values));
  const __m256i both =
      _mm256_inserti128_si256(_mm256_castsi128_si256(pairs), _mm_srli_epi16(pairs, 4), 1);
  return _mm256_and_si256(both, _mm256_set1_epi8(0x0f));
}

// The same, and the fifth bit of each of 32 values.
inline __m256i with_high_bits(__m256i nibbles, const std::uint8_t* bits) {
  std::uint32_t mask;
  std::memcpy(&mask, bits, sizeof mask);
  return _mm256_or_si256(nibbles, fifth_bits(mask));
}

// The fifth bit of 16 values of each of some blocks, where bytes kFirst and kFirst + 1 of each 128
// bits of `bits` contain them.
template <int kFirst>
Register with_fifth_bits(Register nibbles, Register bits) {
  const Register spread = shuffled(
      bits,
      every_lane(_mm_set_epi64x(0x0101010101010101 * (kFirst + 1), 0x0101010101010101 * kFirst)));
  return with_bit_where(nibbles, spread, static_cast<long long>(0x8040201008040201));
}

struct Q8_0 {
  using Block = block_q8_0;
  using Batch = block_q8_0;
  static constexpr int kMost = 255;  // largest byte
  static constexpr std::int32_t kOffset = 128;
  static constexpr bool kHasMinimum = false;
  static constexpr bool kPairs = false;  // no two values share a byte
  static __m256i bytes(const Block& block) {
    return _mm256_xor_si256(load_bytes(block.qs), _mm256_set1_epi8(static_cast<char>(0x80)));
  }
};

// Two values per byte.
template <typename BlockType>
struct FourBits {
  using Block = BlockType;
  static constexpr int kMost = 15;
  static constexpr bool kPairs = true;
  static __m256i bytes(const Block& block) { return load_nibbles(block.qs); }
  // The first and the second halves of as many blocks as fit a register with 16 bytes each.
  template <typename At>
  static void read_some(const At& at, Register& first, Register& second) {
    const Register pairs = sixteens([&](int i) { return at(i).qs; });
    first = low_nibbles(pairs);
    second = high_nibbles(pairs);
  }
};

// The same, with the fifth bit of each value stored separately.
template <typename BlockType>
struct FiveBits {
  using Block = BlockType;
  static constexpr int kMost = 31;
  static constexpr bool kPairs = true;
  static __m256i bytes(const Block& block) {
    return with_high_bits(load_nibbles(block.qs), block.qh);
  }
  template <typename At>
  static void read_some(const At& at, Register& first, Register& second) {
    FourBits<Block>::read_some(at, first, second);
    const Register bits = sixteens([&](int i) { return at(i).qh; });
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

// Each nibble is an index into a table of values.
struct IQ4_NL : FourBits<block_iq4_nl> {
  using Batch = block_q8_0;
  static constexpr int kMost = 255;
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
  static void read_some(const At& at, Register& first, Register& second) {
    FourBits<Block>::read_some(at, first, second);
    const Register numbers = every_lane(table());
    first = shuffled(numbers, first);
    second = shuffled(numbers, second);
  }
};

}  // namespace infernode_panels
#endif
