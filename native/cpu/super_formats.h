// How a block of 256 quantized weights is converted for the panel kernels: eight parts of 32
// unsigned bytes, integer scales per part, and the factors of a batch row's sums. A new type is one
// struct here; panel_formats.h has those of 32 weights. read_all() is for registers of 64 bytes,
// which hold two parts each.
#pragma once

#include "panel_formats.h"

#ifdef INFERNODE_PANELS

namespace infernode_panels {

constexpr int kParts = 8;  // per block, 32 values each

static_assert(QK_K == kParts * 32 && sizeof(block_q8_K) == 4 + QK_K + 2 * QK_K / 16);
static_assert(offsetof(block_q4_K, scales) == 4 && offsetof(block_q5_K, scales) == 4);
static_assert(offsetof(block_q6_K, scales) == 192 && offsetof(block_q6_K, d) == 208);

// value = d * scale * byte - dmin * minimum.
struct WithMinima {
  static constexpr int kScales = kParts;  // per block
  // per block of a batch row: the sums of values that share a minimum
  static constexpr int kSums = kParts;
  static constexpr std::int32_t kOffset = 0;
  // The parts in the layout of read_all(), two per register.
  static constexpr int kOrder[kParts] = {0, 2, 1, 3, 4, 6, 5, 7};
};

// A register's words, as a compile-time constant.
struct alignas(kRegisterBytes) Words {
  std::int16_t words[kRegisterBytes / 2];
  Register load() const { return load_register(words); }
};

constexpr Words halves_of(std::int16_t lower, std::int16_t upper) {
  Words made{};
  for (int i = 0; i < kRegisterBytes / 2; ++i)
    made.words[i] = i < kRegisterBytes / 4 ? lower : upper;
  return made;
}

#if INFERNODE_PANELS == 512
// 64 bytes in two loads, because one load would span two cache lines: see panel_rows.h.
inline __m512i load_twice(const std::uint8_t* bytes) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(load_bytes(bytes)), load_bytes(bytes + 32), 1);
}

// Moves bits of 32 bytes to where the values have them, in both halves of a register: shifted left
// or right by kLower places in the lower half and kUpper in the upper.
template <bool kLeft, int kLower, int kUpper>
__m512i moved_bits(const std::uint8_t* bits, char mask) {
  static constexpr Words kPlaces = halves_of(kLower, kUpper);
  const __m512i both = _mm512_broadcast_i64x4(load_bytes(bits));
  const __m512i moved =
      kLeft ? _mm512_sllv_epi16(both, kPlaces.load()) : _mm512_srlv_epi16(both, kPlaces.load());
  return _mm512_and_si512(moved, _mm512_set1_epi8(mask));
}
#endif

struct Q4_K : WithMinima {
  using Block = block_q4_K;
  static constexpr int kMost = 15;  // largest byte
#if INFERNODE_PANELS == 512
  // All values of a block.
  static void read_all(const Block& block, __m512i (&out)[4]) {
    for (int half = 0; half < 2; ++half) {
      const __m512i pairs = load_twice(block.qs + 64 * half);
      out[2 * half] = low_nibbles(pairs);
      out[2 * half + 1] = high_nibbles(pairs);
    }
  }
#endif
  template <int kPart>
  static __m256i bytes(const Block& block) {
    const __m256i pairs = load_bytes(block.qs + 32 * (kPart / 2));
    return _mm256_and_si256(kPart % 2 == 0 ? pairs : _mm256_srli_epi16(pairs, 4),
                            _mm256_set1_epi8(0x0f));
  }
};

struct Q5_K : WithMinima {
  using Block = block_q5_K;
  static constexpr int kMost = 31;
#if INFERNODE_PANELS == 512
  static void read_all(const Block& block, __m512i (&out)[4]) {
    for (int half = 0; half < 2; ++half) {
      const __m512i pairs = load_twice(block.qs + 64 * half);
      out[2 * half] = low_nibbles(pairs);
      out[2 * half + 1] = high_nibbles(pairs);
    }
    out[0] = _mm512_or_si512(out[0], moved_bits<true, 4, 2>(block.qh, 0x10));
    out[1] = _mm512_or_si512(out[1], moved_bits<true, 3, 1>(block.qh, 0x10));
    out[2] = _mm512_or_si512(out[2], moved_bits<false, 0, 2>(block.qh, 0x10));
    out[3] = _mm512_or_si512(out[3], moved_bits<false, 1, 3>(block.qh, 0x10));
  }
#endif
  template <int kPart>
  static __m256i bytes(const Block& block) {
    const __m256i pairs = load_bytes(block.qs + 32 * (kPart / 2));
    const __m256i nibbles = _mm256_and_si256(kPart % 2 == 0 ? pairs : _mm256_srli_epi16(pairs, 4),
                                             _mm256_set1_epi8(0x0f));
    const __m256i bits = load_bytes(block.qh);
    const __m256i fifth =
        kPart < 4 ? _mm256_slli_epi16(bits, 4 - kPart) : _mm256_srli_epi16(bits, kPart - 4);
    return _mm256_or_si256(nibbles, _mm256_and_si256(fifth, _mm256_set1_epi8(0x10)));
  }
};

// value = d * scale * (byte - 32), with a scale for each half part.
struct Q6_K {
  using Block = block_q6_K;
  static constexpr int kMost = 63;
  static constexpr int kScales = 2 * kParts;
  static constexpr int kSums = 2 * kParts;
  static constexpr std::int32_t kOffset = 32;
  static constexpr int kOrder[kParts] = {0, 1, 2, 3, 4, 5, 6, 7};
#if INFERNODE_PANELS == 512
  static void read_all(const Block& block, __m512i (&out)[4]) {
    for (int half = 0; half < 2; ++half) {
      const __m512i pairs = load_twice(block.ql + 64 * half);
      const std::uint8_t* const bits = block.qh + 32 * half;
      out[2 * half] = _mm512_or_si512(low_nibbles(pairs), moved_bits<true, 4, 2>(bits, 0x30));
      out[2 * half + 1] = _mm512_or_si512(high_nibbles(pairs), moved_bits<false, 0, 2>(bits, 0x30));
    }
  }
#endif
  template <int kPart>
  static __m256i bytes(const Block& block) {
    constexpr int kHalf = kPart / 4, kPlace = kPart % 4;
    const __m256i pairs = load_bytes(block.ql + 64 * kHalf + 32 * (kPlace % 2));
    const __m256i nibbles =
        _mm256_and_si256(kPlace < 2 ? pairs : _mm256_srli_epi16(pairs, 4), _mm256_set1_epi8(0x0f));
    const __m256i bits = load_bytes(block.qh + 32 * kHalf);
    const __m256i high = kPlace < 2 ? _mm256_slli_epi16(bits, 4 - 2 * kPlace)
                                    : _mm256_srli_epi16(bits, 2 * kPlace - 4);
    return _mm256_or_si256(nibbles, _mm256_and_si256(high, _mm256_set1_epi8(0x30)));
  }
};

}  // namespace infernode_panels
#endif
