// Products of a panel's weight rows, in blocks of 256, with a single batch row: as panel_rows.h.
// Each sum equals that of multiply_super_panel() to the bit, because the integers of a block are
// exact.
#pragma once

#include "panel_rows.h"
#include "super_kernels.h"

#ifdef INFERNODE_PANELS

namespace infernode_panels {

// A block of a batch row that is multiplied alone: its parts in the layout in which a weight's are
// read, its sums negated.
template <typename Format>
struct alignas(64) SuperRow {
  std::int8_t values[kParts][32];
  std::int16_t sums[Format::kSums];
  float scale;

  void set(int, const block_q8_K& from) {
    const SuperBatch<Format> made = super_batch<Format>(from);
    for (int place = 0; place < kParts; ++place) {
      const int part = kRegisterBytes == 64 ? Format::kOrder[place] : place;
      std::memcpy(values[place], made.values + 32 * part, 32);
    }
    std::memcpy(sums, made.sums, sizeof sums);
    scale = made.scale;
  }
};

// The eight scales and the eight minima of a block, one byte each: see unpack_factors().
struct SixBits {
  std::uint64_t scales, minima;

  explicit SixBits(const std::uint8_t* packed) {
    std::uint32_t words[3];
    std::memcpy(words, packed, sizeof words);
    const std::uint64_t more_scales = (words[2] & 0x0f0f0f0f) | (words[0] >> 2 & 0x30303030);
    const std::uint64_t more_minima = (words[2] >> 4 & 0x0f0f0f0f) | (words[1] >> 2 & 0x30303030);
    scales = (words[0] & 0x3f3f3f3f) | more_scales << 32;
    minima = (words[1] & 0x3f3f3f3f) | more_minima << 32;
  }
};

inline __m128i words_of_bytes(std::uint64_t bytes) {
  return _mm_cvtepu8_epi16(_mm_cvtsi64_si128(static_cast<long long>(bytes)));
}

inline Register chosen(__m128i words, const Words& places) {
  return shuffled(every_lane(words), places.load());
}

// The products of a block with the batch row's, times the integer scales of its parts or half
// parts: the terms of the sum.
#if INFERNODE_PANELS == 512
// Byte indices that repeat two words of each 128-bit lane four times: word kFirst + l * kStep and
// the one kNext after it in lane l, or in lanes 2 l and 2 l + 1 if kTwice is true.
template <int kFirst, int kStep, int kNext, bool kTwice>
constexpr Words four_times() {
  Words made{};
  for (int i = 0; i < 32; ++i) {
    const int lane = i / 8 / (kTwice ? 2 : 1);
    const int word = kFirst + lane * kStep + (i % 8 < 4 ? 0 : kNext);
    made.words[i] = static_cast<std::int16_t>(2 * word | (2 * word + 1) << 8);
  }
  return made;
}

// The sum of four products fits 16 bits.
template <typename Format>
[[gnu::always_inline]] inline Register scaled_products(const typename Format::Block& weights,
                                                       const SuperRow<Format>& batch,
                                                       Register first_scales,
                                                       Register second_scales) {
  __m512i bytes[4];
  Format::read_all(weights, bytes);
  __m512i products[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    products[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), bytes[i],
                                      _mm512_load_si512(batch.values[2 * i]));
  const __m512i first = _mm512_packs_epi32(products[0], products[1]);
  const __m512i second = _mm512_packs_epi32(products[2], products[3]);
  return _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(_mm512_setzero_si512(), first, first_scales),
                             second, second_scales);
}

template <typename Format>
[[gnu::always_inline]] inline Register scaled_products(const typename Format::Block& weights,
                                                       const SuperRow<Format>& batch,
                                                       __m128i scales) {
  static constexpr Words kFirst = four_times<0, 2, 1, true>();
  static constexpr Words kSecond = four_times<4, 2, 1, true>();
  return scaled_products<Format>(weights, batch, chosen(scales, kFirst), chosen(scales, kSecond));
}

template <typename Format>
[[gnu::always_inline]] inline Register scaled_products(const typename Format::Block& weights,
                                                       const SuperRow<Format>& batch,
                                                       __m256i scales) {
  static constexpr Words kPlaces = four_times<0, 1, 4, false>();
  return scaled_products<Format>(weights, batch, chosen(_mm256_castsi256_si128(scales), kPlaces),
                                 chosen(_mm256_extracti128_si256(scales, 1), kPlaces));
}
#else
// Byte indices that repeat one word of each 128-bit lane eight times, a different one in each lane.
constexpr Words eight_times(int lower, int upper) {
  return halves_of(static_cast<std::int16_t>(2 * lower | (2 * lower + 1) << 8),
                   static_cast<std::int16_t>(2 * upper | (2 * upper + 1) << 8));
}

template <int kPart, typename Format>
Register part_products(const typename Format::Block& weights, const SuperRow<Format>& batch,
                       Register scales) {
  return _mm256_madd_epi16(
      _mm256_maddubs_epi16(Format::template bytes<kPart>(weights), load_bytes(batch.values[kPart])),
      scales);
}

template <typename Format>
[[gnu::always_inline]] inline Register scaled_products(const typename Format::Block& weights,
                                                       const SuperRow<Format>& batch,
                                                       __m128i scales) {
  Register sums = zero_register();
  for_parts([&](auto part) {
    static constexpr Words kPlaces = eight_times(part, part);
    sums = add(sums, part_products<part, Format>(weights, batch, chosen(scales, kPlaces)));
  });
  return sums;
}

template <typename Format>
[[gnu::always_inline]] inline Register scaled_products(const typename Format::Block& weights,
                                                       const SuperRow<Format>& batch,
                                                       __m256i scales) {
  const __m128i halves[] = {_mm256_castsi256_si128(scales), _mm256_extracti128_si256(scales, 1)};
  Register sums = zero_register();
  for_parts([&](auto part) {
    static constexpr Words kPlaces = eight_times(part % 4 * 2, part % 4 * 2 + 1);
    sums =
        add(sums, part_products<part, Format>(weights, batch, chosen(halves[part / 4], kPlaces)));
  });
  return sums;
}
#endif

// Adds a block of one weight row to its sum.
template <typename Format>
[[gnu::always_inline]] inline __m128 add_super_row(__m128 sum,
                                                   const typename Format::Block& weights,
                                                   const SuperRow<Format>& batch) {
  const SixBits bits(weights.scales);
  const __m128i products =
      added_to_four(scaled_products<Format>(weights, batch, words_of_bytes(bits.scales)));
  const __m128i minima = _mm_madd_epi16(
      words_of_bytes(bits.minima), _mm_load_si128(reinterpret_cast<const __m128i*>(batch.sums)));
  __m128i both =
      _mm_add_epi32(_mm_unpacklo_epi32(products, minima), _mm_unpackhi_epi32(products, minima));
  both = _mm_add_epi32(both, _mm_unpackhi_epi64(both, both));
  const __m128 numbers = _mm_cvtepi32_ps(both);
  const __m128 factors = _mm_cvtph_ps(_mm_cvtsi32_si128(begin_of<int>(weights)));
  return add_super_block<Format>(sum, numbers, _mm_movehdup_ps(numbers), factors,
                                 _mm_movehdup_ps(factors), _mm_set_ss(batch.scale));
}

template <>
[[gnu::always_inline]] inline __m128 add_super_row<Q6_K>(__m128 sum, const block_q6_K& weights,
                                                         const SuperRow<Q6_K>& batch) {
  const __m256i scales =
      _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weights.scales)));
  const __m128i products = added_to_four(scaled_products<Q6_K>(weights, batch, scales));
  static_assert(Q6_K::kOffset == 1 << 5);
  const __m256i offsets = _mm256_slli_epi32(
      _mm256_madd_epi16(scales, _mm256_load_si256(reinterpret_cast<const __m256i*>(batch.sums))),
      5);
  __m128i four = _mm_add_epi32(products, halves_added(offsets));
  four = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x55));
  const __m128 number = _mm_cvtepi32_ps(four);
  const __m128 scale = _mm_cvtph_ps(_mm_cvtsi32_si128(weights.d));
  return add_super_block<Q6_K>(sum, number, number, scale, scale, _mm_set_ss(batch.scale));
}

// A panel of `rows` rows times one batch row.
template <typename Format>
void multiply_super_rows(const PanelRows<typename Format::Block>& panel,
                         const SuperRow<Format>* batch, std::int64_t blocks, float* out, int rows) {
  alignas(64) float sums[kPanelRows];
  for (int row = 0; row < kPanelRows; ++row) {
    const typename Format::Block* const weights = panel.rows[row];
    __m128 sum = _mm_setzero_ps();
    for (std::int64_t block = 0; block < blocks; ++block) {
      prefetch_ahead(weights + block, 1);
      sum = add_super_row<Format>(sum, weights[block], batch[block]);
    }
    _mm_store_ss(sums + row, sum);
  }
  store_first(out, rows, load_floats(sums));
}

}  // namespace infernode_panels
#endif
