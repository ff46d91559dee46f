// Products of panels: 16 rows of 8-bit weights, interleaved by fours, times
// rows of a batch in 8 bits, with AVX-512's dot products. A sum is one lane's:
// of the even blocks one after another, exact within a block, plus that of the
// odd ones. It depends neither on the rows that are computed beside it nor on
// the thread.
#pragma once

#include "panel_formats.h"

#ifdef INFERNODE_MEASURED_AVX512_VNNI
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace infernode_panels {

constexpr int kPanelRows = 16;   // a register of sums
constexpr int kMostColumns = 8;  // batch rows at a time: their sums fit the registers
constexpr int kBlockValues = 32;

// One block of each row of a panel: values[i] has the rows' i-th four bytes.
struct alignas(64) PanelBlock {
  std::uint8_t values[8][64];
  float scales[kPanelRows];
  float minima[kPanelRows];
};

// One block of a batch row.
struct alignas(16) BatchBlock {
  std::int8_t values[kBlockValues];
  std::int32_t start;  // what the sum of products begins with, for the weights' offset
  float scale;
  float total;  // scale times the sum of the values
};

// Weight rows of a panel; those beyond the matrix's last are that one again.
template <typename Block>
struct PanelRows {
  const Block* rows[kPanelRows];

  PanelRows(const Block* first, std::int64_t distance, std::int64_t count) {
    for (std::int64_t row = 0; row < kPanelRows; ++row)
      rows[row] = first + distance * std::min(row, count - 1);
  }
};

// What a block begins with.
template <typename Number, typename Block>
Number begin_of(const Block& block) {
  Number number;
  std::memcpy(&number, &block, sizeof number);
  return number;
}

// Scales, and minima where the format has them, of 16 blocks.
struct Factors {
  __m512 scales, minima;
};

// Of block(0) to block(kCount - 1); zero for the others.
template <typename Format, int kCount = 16, typename BlockAt>
Factors factors_of(const BlockAt& block) {
  if constexpr (Format::kHasMinimum) {
    const auto pair = [&](int i) { return i < kCount ? begin_of<int>(block(i)) : 0; };
    const __m512i pairs = _mm512_setr_epi32(pair(0), pair(1), pair(2), pair(3), pair(4), pair(5),
                                            pair(6), pair(7), pair(8), pair(9), pair(10), pair(11),
                                            pair(12), pair(13), pair(14), pair(15));
    return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(pairs)),
            _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(pairs, 16)))};
  } else {
    const auto half = [&](int i) { return i < kCount ? begin_of<short>(block(i)) : short{0}; };
    return {_mm512_cvtph_ps(_mm256_setr_epi16(half(0), half(1), half(2), half(3), half(4), half(5),
                                              half(6), half(7), half(8), half(9), half(10),
                                              half(11), half(12), half(13), half(14), half(15))),
            _mm512_setzero_ps()};
  }
}

// An 8 x 8 transposition of four bytes each, in both halves of the registers at once. bytes(row):
// 32 values of that row; out[i] gets the rows' i-th four.
template <typename BytesOf>
void interleave_bytes(const BytesOf& bytes, std::uint8_t (&out)[8][64]) {
  __m512i rows[8];
#pragma GCC unroll 8
  for (int row = 0; row < 8; ++row)
    rows[row] = _mm512_inserti64x4(_mm512_castsi256_si512(bytes(row)), bytes(row + 8), 1);
  __m512i pairs[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  __m512i fours[8];  // [i]: of rows 0 to 3; [i + 4]: of rows 4 to 7
#pragma GCC unroll 2
  for (int half = 0; half < 8; half += 4) {
    fours[half] = _mm512_unpacklo_epi64(pairs[half], pairs[half + 2]);
    fours[half + 1] = _mm512_unpackhi_epi64(pairs[half], pairs[half + 2]);
    fours[half + 2] = _mm512_unpacklo_epi64(pairs[half + 1], pairs[half + 3]);
    fours[half + 3] = _mm512_unpackhi_epi64(pairs[half + 1], pairs[half + 3]);
  }
  const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
  const __m512i high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    _mm512_store_si512(out[i], _mm512_permutex2var_epi64(fours[i], low, fours[i + 4]));
    _mm512_store_si512(out[i + 4], _mm512_permutex2var_epi64(fours[i], high, fours[i + 4]));
  }
}

template <typename Format>
void interleave(const PanelRows<typename Format::Block>& panel, std::int64_t block,
                PanelBlock& out) {
  const auto at = [&](int row) -> const auto& { return panel.rows[row][block]; };
  interleave_bytes([&](int row) { return Format::bytes(at(row)); }, out.values);
  const Factors factors = factors_of<Format>(at);
  _mm512_store_ps(out.scales, factors.scales);
  if constexpr (Format::kHasMinimum) _mm512_store_ps(out.minima, factors.minima);
}

// One block's part of a sum: the one place that says how results round.
template <typename Format>
__m512 add_block(__m512 sum, __m512i products, __m512 scales, __m512 minima,
                 const BatchBlock& batch) {
  const __m512 both = _mm512_mul_ps(scales, _mm512_set1_ps(batch.scale));
  const __m512 floats = _mm512_cvtepi32_ps(products);
  if constexpr (!Format::kHasMinimum) return _mm512_fmadd_ps(floats, both, sum);
  const __m512 of_minima = _mm512_mul_ps(minima, _mm512_set1_ps(batch.total));
  return _mm512_add_ps(sum, _mm512_fmadd_ps(floats, both, of_minima));
}

// A block of a panel times those of kCount batch rows, which lie side by side,
// added to sums.
template <typename Format, int kCount>
void add_products(const PanelBlock& panel, const BatchBlock* batch, __m512 (&sums)[kCount]) {
  __m512i products[kCount];
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column)
    products[column] = _mm512_set1_epi32(batch[column].start);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    const __m512i weights = _mm512_load_si512(panel.values[i]);
#pragma GCC unroll 8
    for (int column = 0; column < kCount; ++column) {
      std::int32_t four;
      std::memcpy(&four, batch[column].values + 4 * i, sizeof four);
      products[column] = _mm512_dpbusd_epi32(products[column], weights, _mm512_set1_epi32(four));
    }
  }
  const __m512 scales = _mm512_load_ps(panel.scales);
  const __m512 minima = Format::kHasMinimum ? _mm512_load_ps(panel.minima) : _mm512_setzero_ps();
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column)
    sums[column] = add_block<Format>(sums[column], products[column], scales, minima, batch[column]);
}

// `blocks` blocks of a panel times as many of kCount batch rows. `out`: the
// first row's sum of the first batch row; others follow `distance` floats
// later.
template <typename Format, int kCount>
void multiply_panel(const PanelBlock* panel, const BatchBlock* batch, std::int64_t blocks,
                    float* out, std::int64_t distance, __mmask16 rows) {
  __m512 even[kCount], odd[kCount];
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column) even[column] = odd[column] = _mm512_setzero_ps();
  for (; blocks >= 2; blocks -= 2, panel += 2, batch += 2 * kCount) {
    add_products<Format, kCount>(panel[0], batch, even);
    add_products<Format, kCount>(panel[1], batch + kCount, odd);
  }
  if (blocks > 0) add_products<Format, kCount>(*panel, batch, even);
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column)
    _mm512_mask_storeu_ps(out + distance * column, rows, _mm512_add_ps(even[column], odd[column]));
}

// Asks the memory for what a panel's block takes of the weights that begin at
// `ahead`.
template <typename Format>
void prefetch_blocks(const char* ahead, std::int64_t block) {
  constexpr std::int64_t kBytes = sizeof(typename Format::Block) * kPanelRows;
#pragma GCC unroll 9
  for (std::int64_t line = 0; line < kBytes; line += 64)
    _mm_prefetch(ahead + block * kBytes + line, _MM_HINT_T0);
}

// One block of a batch row as the kernels want it.
template <typename Format>
BatchBlock batch_block(const typename Format::Batch& block) {
  BatchBlock made;
  const __m256i values = load_bytes(block.qs);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(made.values), values);
  // Pairs of sums with a sign: the ones are the unsigned factor.
  const __m256i fours = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), values);
  __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(fours), _mm256_extracti128_si256(fours, 1));
  sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4e));
  sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0xb1));
  const std::int32_t sum = _mm_cvtsi128_si32(sums);
  made.scale = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(begin_of<short>(block) & 0xffff)));
  made.start = -Format::kOffset * sum;
  made.total = made.scale * static_cast<float>(sum);
  return made;
}

}  // namespace infernode_panels
#endif
