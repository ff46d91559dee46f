// Products of groups of four: four unsigned bytes of each of a panel's weight rows times the same
// four signed values of some batch rows. The only file whose code depends on how an instruction set
// multiplies bytes. All results are exact.
//
// With dot products (VNNI), four products and their sum in 32 bits are one instruction. AVX2 adds
// two products in a 16-bit word; the largest weight byte of a format (Format::kMost) determines how
// many such words can be added before they are widened. Bytes using all 8 bits would need separate
// words, so types that have them (Q8_0, IQ4_NL) have no panels on AVX2.
#pragma once

#include "lanes.h"

#ifdef INFERNODE_PANELS
#include <cstddef>
#include <cstdint>

#if INFERNODE_PANELS == 512 || defined(__AVXVNNI__) || \
    (defined(__AVX512VNNI__) && defined(__AVX512VL__))
#define INFERNODE_DOT_PRODUCTS 1
#endif

namespace infernode_panels {

// Stands for a sum's factor if there is none.
struct Unscaled {};

inline std::int32_t word_of(const void* bytes) {
  std::int32_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

#ifdef INFERNODE_DOT_PRODUCTS

constexpr bool kMultipliesBytes = true;  // supports bytes that use all 8 bits

// Batch rows at a time: their sums fit the registers.
template <int>
constexpr int kColumnsAtOnce = kRegisterBytes == 64 ? 8 : 4;

// Up to so many batch rows are multiplied one by one, without a panel.
template <int>
constexpr int kMostAlone = 1;

#if INFERNODE_PANELS == 512
inline Register add_dots(Register sum, Register weights, Register values) {
  return _mm512_dpbusd_epi32(sum, weights, values);
}
#else
inline Register add_dots(Register sum, Register weights, Register values) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
  return _mm256_dpbusd_epi32(sum, weights, values);
#else
  return _mm256_dpbusd_avx_epi32(sum, weights, values);
#endif
}
inline Ints add_dots(Ints sum, Ints weights, Ints values) {
  return {add_dots(sum.low, weights.low, values.low),
          add_dots(sum.high, weights.high, values.high)};
}
#endif

// The type in which the scales of sums are stored.
inline void store_scales(void* to, Ints scales) { store(to, scales); }

inline Ints scaled(Ints, Ints products, Unscaled) { return products; }
inline Ints scaled(Ints total, Ints products, Ints scales) {
  return add(total, multiply(products, scales));
}

// Adds kFours groups of weights, from `first` on, times values(column).four(i), times the scales.
template <int, int kFours, int kCount, typename ValuesOf, typename Scales>
void add_fours(const std::uint8_t (*weights)[64], const ValuesOf& values, int first, Scales scales,
               Ints (&totals)[kCount]) {
  constexpr bool kScaled = !std::is_same_v<Scales, Unscaled>;
  Ints products[kCount];
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column)
    products[column] = kScaled ? zero_ints() : totals[column];
#pragma GCC unroll 8
  for (int i = 0; i < kFours; ++i) {
    const Ints bytes = load_ints(weights[i]);
#pragma GCC unroll 8
    for (int column = 0; column < kCount; ++column)
      products[column] =
          add_dots(products[column], bytes, all_ints(values(column).four(first + i)));
  }
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column)
    totals[column] = scaled(totals[column], products[column], scales);
}

// 32-bit sums of four products each.
inline Register dots_of(Register weights, Register values) {
  return add_dots(zero_register(), weights, values);
}
inline Register dots_of(Register weights, Register values, Register more_weights,
                        Register more_values) {
  return add_dots(add_dots(zero_register(), weights, values), more_weights, more_values);
}

#else  // AVX2

constexpr bool kMultipliesBytes = false;

// Batch rows at a time: their sums fit the registers beside everything else in them.
template <int kMost>
constexpr int kColumnsAtOnce = kMost <= 31 ? 4 : 3;

// Up to so many batch rows are multiplied one by one, without a panel.
template <int kMost>
constexpr int kMostAlone = kMost <= 31 ? 1 : 3;

// Number of words, of two products each, that can be added before one might overflow.
template <int kMost>
constexpr int kTogether = 32767 / (2 * 128 * kMost) >= 8   ? 8
                          : 32767 / (2 * 128 * kMost) >= 4 ? 4
                                                           : 2;

// Each word twice: the factors of both sums in a lane.
inline void store_scales(void* to, Ints scales) { store(to, word_pairs(scales, scales)); }

inline Ints add_words(Ints total, Ints words, Unscaled) {
  return add_word_products(total, words, all_ints(0x10001));
}
inline Ints add_words(Ints total, Ints words, Ints scales) {
  return add_word_products(total, words, scales);
}

// Keeps sums in registers. GCC would first compute all products and then add them in an order of
// its own, for which there are far too few registers.
inline void keep(Ints& sums) { __asm__("" : "+x"(sums.low), "+x"(sums.high)); }

inline Ints sums_of_words(Ints a, Ints b) {
  return {_mm256_add_epi16(a.low, b.low), _mm256_add_epi16(a.high, b.high)};
}
inline Ints byte_products(Ints weights, Ints values) {
  return {_mm256_maddubs_epi16(weights.low, values.low),
          _mm256_maddubs_epi16(weights.high, values.high)};
}

// Adds kFours groups of weights, from `first` on, times values(column).four(i), times the scales.
template <int kMost, int kFours, int kCount, typename ValuesOf, typename Scales>
[[gnu::always_inline]] inline void add_fours(const std::uint8_t (*weights)[64],
                                             const ValuesOf& values, int first, Scales scales,
                                             Ints (&totals)[kCount]) {
  static_assert(2 * 128 * kMost * kTogether<kMost> <= 32767);
  constexpr int kEach = kTogether<kMost> < kFours ? kTogether<kMost> : kFours;
  static_assert(kFours % kEach == 0);
#pragma GCC unroll 4
  for (int begin = 0; begin < kFours; begin += kEach) {
    Ints words[kCount];
#pragma GCC unroll 8
    for (int i = begin; i < begin + kEach; ++i) {
      const Ints bytes = load_ints(weights[i]);
#pragma GCC unroll 8
      for (int column = 0; column < kCount; ++column) {
        const Ints two = byte_products(bytes, all_ints(values(column).four(first + i)));
        words[column] = i == begin ? two : sums_of_words(words[column], two);
        keep(words[column]);
      }
    }
#pragma GCC unroll 8
    for (int column = 0; column < kCount; ++column)
      totals[column] = add_words(totals[column], words[column], scales);
  }
}

// 32-bit sums of four products each, from two registers of products whose sum fits a word.
inline Register dots_of(Register weights, Register values) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(weights, values), _mm256_set1_epi16(1));
}
inline Register dots_of(Register weights, Register values, Register more_weights,
                        Register more_values) {
  return _mm256_madd_epi16(_mm256_add_epi16(_mm256_maddubs_epi16(weights, values),
                                            _mm256_maddubs_epi16(more_weights, more_values)),
                           _mm256_set1_epi16(1));
}

#endif

}  // namespace infernode_panels
#endif
