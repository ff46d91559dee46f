// Products of panels of weights in blocks of 256: as panel_kernels.h, but exact within a block,
// whose parts have whole scales. A sum takes block after block.
#pragma once

#include <type_traits>
#include <utility>

#include "panel_kernels.h"
#include "super_formats.h"

#ifdef INFERNODE_MEASURED_AVX512_VNNI

namespace infernode_panels {

// One block of each row of a panel. values[p][i] has the rows' i-th four bytes of part p.
template <typename Format>
struct alignas(64) SuperPanel {
  std::uint8_t values[kParts][8][64];
  std::int32_t scales[Format::kScales][kPanelRows];
  std::int16_t minima[Format::kSums / 2][kPanelRows][2];  // what pairs of sums are multiplied by
  float scale[kPanelRows];
  float minimum[kPanelRows];
};

// One block of a batch row. Its sums have their sign changed: minima are subtracted.
template <typename Format>
struct alignas(64) SuperBatch {
  std::int8_t values[QK_K];
  std::int16_t sums[Format::kSums];
  float scale;
};

// Calls each(p) for every part, p as a constant.
template <typename Each>
void for_parts(const Each& each) {
  [&]<int... kPart>(std::integer_sequence<int, kPart...>) {
    (each(std::integral_constant<int, kPart>()), ...);
  }
  (std::make_integer_sequence<int, kParts>());
}

// 16 bytes of each row of a panel: words[i] has their i-th four bytes, row after row.
template <typename BytesAt>
void transpose_words(const BytesAt& at, __m512i (&words)[4]) {
  __m512i rows[4];  // [i]: of the rows i, i + 4, i + 8, i + 12
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const auto row = [&](int index) {
      return _mm_loadu_si128(static_cast<const __m128i*>(at(index)));
    };
    rows[i] = _mm512_castsi128_si512(row(4 * 0 + i));
    rows[i] = _mm512_inserti32x4(rows[i], row(4 + i), 1);
    rows[i] = _mm512_inserti32x4(rows[i], row(8 + i), 2);
    rows[i] = _mm512_inserti32x4(rows[i], row(12 + i), 3);
  }
  const __m512i low = _mm512_unpacklo_epi32(rows[0], rows[1]);
  const __m512i high = _mm512_unpackhi_epi32(rows[0], rows[1]);
  const __m512i low_next = _mm512_unpacklo_epi32(rows[2], rows[3]);
  const __m512i high_next = _mm512_unpackhi_epi32(rows[2], rows[3]);
  words[0] = _mm512_unpacklo_epi64(low, low_next);
  words[1] = _mm512_unpackhi_epi64(low, low_next);
  words[2] = _mm512_unpacklo_epi64(high, high_next);
  words[3] = _mm512_unpackhi_epi64(high, high_next);
}

inline __m512 low_halves(__m512i words) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words)); }

// Scales and minima of a block of each row of a panel: six bits each, in twelve bytes after two
// halves. Bytes 0 to 3 have the first four scales, bytes 4 to 7 the first four minima; of the
// others, bytes 8 to 11 have the low four bits and the upper two bits of the first eight the rest.
template <typename Format>
void unpack_factors(const PanelRows<typename Format::Block>& panel, std::int64_t block,
                    SuperPanel<Format>& out) {
  __m512i words[4];
  transpose_words([&](int row) { return static_cast<const void*>(&panel.rows[row][block]); },
                  words);
  _mm512_store_ps(out.scale, low_halves(words[0]));
  _mm512_store_ps(out.minimum, low_halves(_mm512_srli_epi32(words[0], 16)));
  const auto bits = [](__m512i word, unsigned shift, int mask) {
    return _mm512_and_si512(_mm512_srli_epi32(word, shift), _mm512_set1_epi32(mask));
  };
  const __m512i scales[] = {
      bits(words[1], 0, 0x3f3f3f3f),
      _mm512_or_si512(bits(words[3], 0, 0x0f0f0f0f), bits(words[1], 2, 0x30303030))};
  const __m512i minima[] = {
      bits(words[2], 0, 0x3f3f3f3f),
      _mm512_or_si512(bits(words[3], 4, 0x0f0f0f0f), bits(words[2], 2, 0x30303030))};
#pragma GCC unroll 8
  for (int part = 0; part < kParts; ++part)
    _mm512_store_si512(out.scales[part],
                       bits(scales[part / 4], static_cast<unsigned>(part % 4 * 8), 0xff));
#pragma GCC unroll 4
  for (int pair = 0; pair < kParts / 2; ++pair) {
    const unsigned shift = static_cast<unsigned>(pair % 2 * 16);
    const __m512i first = bits(minima[pair / 2], shift, 0xff);
    const __m512i second = bits(minima[pair / 2], shift + 8, 0xff);
    _mm512_store_si512(out.minima[pair], _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
  }
}

// Of Q6_K: 16 scales with a sign, which are also what the offset's sums are multiplied by.
template <>
inline void unpack_factors<Q6_K>(const PanelRows<block_q6_K>& panel, std::int64_t block,
                                 SuperPanel<Q6_K>& out) {
  __m512i words[4];
  transpose_words([&](int row) { return static_cast<const void*>(panel.rows[row][block].scales); },
                  words);
#pragma GCC unroll 16
  for (int i = 0; i < Q6_K::kScales; ++i) {
    const __m512i byte = _mm512_slli_epi32(words[i / 4], static_cast<unsigned>(24 - i % 4 * 8));
    _mm512_store_si512(out.scales[i], _mm512_srai_epi32(byte, 24));
  }
#pragma GCC unroll 8
  for (int pair = 0; pair < Q6_K::kSums / 2; ++pair) {
    const __m512i even = _mm512_load_si512(out.scales[2 * pair]);
    const __m512i odd = _mm512_load_si512(out.scales[2 * pair + 1]);
    _mm512_store_si512(out.minima[pair],
                       _mm512_mask_mov_epi16(even, 0xaaaaaaaa, _mm512_slli_epi32(odd, 16)));
  }
  const auto half = [&](int row) { return static_cast<short>(panel.rows[row][block].d); };
  _mm512_store_ps(out.scale, _mm512_cvtph_ps(_mm256_setr_epi16(
                                 half(0), half(1), half(2), half(3), half(4), half(5), half(6),
                                 half(7), half(8), half(9), half(10), half(11), half(12), half(13),
                                 half(14), half(15))));
}

template <typename Format>
void interleave_super(const PanelRows<typename Format::Block>& panel, std::int64_t block,
                      SuperPanel<Format>& out) {
  for_parts([&](auto part) {
    interleave_bytes([&](int row) { return Format::template bytes<part>(panel.rows[row][block]); },
                     out.values[part]);
  });
  unpack_factors<Format>(panel, block, out);
}

// One block's part of sums: the one place that says how results round. `products` and `minima`
// are whole numbers. Registers of 16 sums, or of one.
inline __m512 multiply(__m512 a, __m512 b) { return _mm512_mul_ps(a, b); }
inline __m128 multiply(__m128 a, __m128 b) { return _mm_mul_ss(a, b); }
inline __m512 multiply_add(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
inline __m128 multiply_add(__m128 a, __m128 b, __m128 c) { return _mm_fmadd_ss(a, b, c); }

template <typename Format, typename Register>
Register add_super_block(Register sum, Register products, Register minima, Register scale,
                         Register minimum, Register batch_scale) {
  sum = multiply_add(products, multiply(scale, batch_scale), sum);
  if constexpr (Format::kOffset == 0)
    sum = multiply_add(minima, multiply(minimum, batch_scale), sum);
  return sum;
}

// One block of a panel times those of kCount batch rows: exact numbers.
template <typename Format, int kCount>
void add_parts(const SuperPanel<Format>& panel, const SuperBatch<Format>* batch,
               __m512i (&totals)[kCount]) {
  constexpr int kEach = Format::kScales / kParts;  // scales of a part
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column) totals[column] = _mm512_setzero_si512();
  for (int scale = 0; scale < Format::kScales; ++scale) {
    const int part = scale / kEach;
    __m512i products[kCount];
#pragma GCC unroll 8
    for (int column = 0; column < kCount; ++column) products[column] = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int i = 0; i < 8 / kEach; ++i) {
      const int four = scale % kEach * (8 / kEach) + i;
      const __m512i weights = _mm512_load_si512(panel.values[part][four]);
#pragma GCC unroll 8
      for (int column = 0; column < kCount; ++column) {
        std::int32_t values;
        std::memcpy(&values, batch[column].values + 32 * part + 4 * four, sizeof values);
        products[column] =
            _mm512_dpbusd_epi32(products[column], weights, _mm512_set1_epi32(values));
      }
    }
    const __m512i scales = _mm512_load_si512(panel.scales[scale]);
#pragma GCC unroll 8
    for (int column = 0; column < kCount; ++column)
      totals[column] =
          _mm512_add_epi32(totals[column], _mm512_mullo_epi32(products[column], scales));
  }
}

// What one block of a panel's minima, or of its offset, gives with a batch row.
template <typename Format>
__m512i minima_of(const SuperPanel<Format>& panel, const SuperBatch<Format>& batch) {
  __m512i minima = _mm512_setzero_si512();
#pragma GCC unroll 8
  for (int pair = 0; pair < Format::kSums / 2; ++pair) {
    std::int32_t two;
    std::memcpy(&two, batch.sums + 2 * pair, sizeof two);
    minima =
        _mm512_dpwssd_epi32(minima, _mm512_load_si512(panel.minima[pair]), _mm512_set1_epi32(two));
  }
  return minima;
}

// A panel of `blocks` blocks times kCount batch rows: see multiply_panel().
template <typename Format, int kCount>
void multiply_super_panel(const SuperPanel<Format>* panel, const SuperBatch<Format>* batch,
                          std::int64_t blocks, float* out, std::int64_t distance, __mmask16 rows) {
  alignas(64) float sums[kCount][kPanelRows] = {};
  for (std::int64_t block = 0; block < blocks; ++block, ++panel, batch += kCount) {
    __m512i totals[kCount];
    add_parts<Format, kCount>(*panel, batch, totals);
    const __m512 scale = _mm512_load_ps(panel->scale);
    const __m512 minimum = Format::kOffset == 0 ? _mm512_load_ps(panel->minimum) : scale;
#pragma GCC unroll 8
    for (int column = 0; column < kCount; ++column) {
      const __m512i minima = minima_of<Format>(*panel, batch[column]);
      const __m512i offsets = _mm512_mullo_epi32(minima, _mm512_set1_epi32(Format::kOffset));
      const __m512 sum = add_super_block<Format>(
          _mm512_load_ps(sums[column]),
          _mm512_cvtepi32_ps(_mm512_add_epi32(totals[column], offsets)), _mm512_cvtepi32_ps(minima),
          scale, minimum, _mm512_set1_ps(batch[column].scale));
      _mm512_store_ps(sums[column], sum);
    }
  }
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column)
    _mm512_mask_storeu_ps(out + distance * column, rows, _mm512_load_ps(sums[column]));
}

// One block of a batch row as the kernels want it.
template <typename Format>
SuperBatch<Format> super_batch(const block_q8_K& block) {
  SuperBatch<Format> made;
  std::memcpy(made.values, block.qs, sizeof made.values);
  constexpr int kEach = 2 * kParts / Format::kSums;  // sums of 16 values in one of ours
  for (int i = 0; i < Format::kSums; ++i) {
    std::int32_t sum = 0;
    for (int j = 0; j < kEach; ++j) sum += block.bsums[kEach * i + j];
    made.sums[i] = static_cast<std::int16_t>(-sum);
  }
  made.scale = block.d;
  return made;
}

}  // namespace infernode_panels
#endif
