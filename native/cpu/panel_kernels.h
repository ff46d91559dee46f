// Products of panels: 16 rows of 8-bit weights, interleaved by fours, times rows of a batch in
// 8 bits, with AVX-512's dot products. Each sum is one lane's, taken block after block, exact
// within a block: it depends neither on the rows that are computed beside it nor on the thread.
#pragma once

#include "panel_formats.h"

#ifdef INFERNODE_MEASURED_AVX512_VNNI
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace infernode_panels {

constexpr int kPanelRows = 16;    // a register of sums
constexpr int kMostColumns = 12;  // batch rows at a time: as many sums fit the registers
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

// The half that lies `offset` bytes into a block.
template <typename Block>
short half_of(const Block& block, std::size_t offset) {
  short half;
  std::memcpy(&half, reinterpret_cast<const char*>(&block) + offset, sizeof half);
  return half;
}

// 16 halves, from half(0) on, as floats.
template <typename Half>
__m512 floats_of(const Half& half) {
  return _mm512_cvtph_ps(_mm256_setr_epi16(half(0), half(1), half(2), half(3), half(4), half(5),
                                           half(6), half(7), half(8), half(9), half(10), half(11),
                                           half(12), half(13), half(14), half(15)));
}

// Rows r and r + 8 of the panel in one register.
template <typename Format>
__m512i two_rows(const PanelRows<typename Format::Block>& panel, std::int64_t block, int row) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(Format::bytes(panel.rows[row][block])),
                            Format::bytes(panel.rows[row + 8][block]), 1);
}

// An 8 x 8 transposition of four bytes each, in both halves at once.
template <typename Format>
void interleave(const PanelRows<typename Format::Block>& panel, std::int64_t block,
                PanelBlock& out) {
  __m512i rows[8];
#pragma GCC unroll 8
  for (int row = 0; row < 8; ++row) rows[row] = two_rows<Format>(panel, block, row);
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
    _mm512_store_si512(out.values[i], _mm512_permutex2var_epi64(fours[i], low, fours[i + 4]));
    _mm512_store_si512(out.values[i + 4], _mm512_permutex2var_epi64(fours[i], high, fours[i + 4]));
  }
  const auto halves = [&](std::size_t offset) {
    return floats_of([&](int row) { return half_of(panel.rows[row][block], offset); });
  };
  _mm512_store_ps(out.scales, halves(0));
  if constexpr (Format::kHasMinimum) _mm512_store_ps(out.minima, halves(2));
}

// One block's part of a sum: the one place that says how results round.
template <typename Format>
__m512 add_block(__m512 sum, __m512i products, __m512 scales, __m512 minima,
                 const BatchBlock& batch) {
  const __m512 both = _mm512_mul_ps(scales, _mm512_set1_ps(batch.scale));
  sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), both, sum);
  if constexpr (Format::kHasMinimum)
    sum = _mm512_fmadd_ps(minima, _mm512_set1_ps(batch.total), sum);
  return sum;
}

// `blocks` blocks of a panel times as many of kCount batch rows, whose blocks of one place lie
// side by side. `out`: the first row's sum of the first batch row; others follow `distance`
// floats later.
template <typename Format, int kCount>
void multiply_panel(const PanelBlock* panel, const BatchBlock* batch, std::int64_t blocks,
                    float* out, std::int64_t distance, __mmask16 rows) {
  __m512 sums[kCount];
#pragma GCC unroll 12
  for (int column = 0; column < kCount; ++column) sums[column] = _mm512_setzero_ps();
  for (std::int64_t block = 0; block < blocks; ++block) {
    __m512i products[kCount];
#pragma GCC unroll 12
    for (int column = 0; column < kCount; ++column)
      products[column] = _mm512_set1_epi32(batch[column].start);
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const __m512i weights = _mm512_load_si512(panel[block].values[i]);
#pragma GCC unroll 12
      for (int column = 0; column < kCount; ++column) {
        std::int32_t four;
        std::memcpy(&four, batch[column].values + 4 * i, sizeof four);
        products[column] = _mm512_dpbusd_epi32(products[column], weights, _mm512_set1_epi32(four));
      }
    }
    const __m512 scales = _mm512_load_ps(panel[block].scales);
    const __m512 minima =
        Format::kHasMinimum ? _mm512_load_ps(panel[block].minima) : _mm512_setzero_ps();
#pragma GCC unroll 12
    for (int column = 0; column < kCount; ++column)
      sums[column] =
          add_block<Format>(sums[column], products[column], scales, minima, batch[column]);
    batch += kCount;
  }
#pragma GCC unroll 12
  for (int column = 0; column < kCount; ++column)
    _mm512_mask_storeu_ps(out + distance * column, rows, sums[column]);
}

// Asks the memory for what a panel's block takes of the weights that begin at `ahead`.
template <typename Format>
void prefetch_blocks(const char* ahead, std::int64_t block) {
  constexpr std::int64_t kBytes = sizeof(typename Format::Block) * kPanelRows;
#pragma GCC unroll 9
  for (std::int64_t line = 0; line < kBytes; line += 64)
    _mm_prefetch(ahead + block * kBytes + line, _MM_HINT_T0);
}

// The sums of the eight lanes of each of 16 registers, in their order.
inline __m512i sums_of_lanes(const __m256i (&all)[16]) {
  __m512i both[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    both[i] = _mm512_inserti64x4(_mm512_castsi256_si512(all[i]), all[i + 8], 1);
  __m512i pairs[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    pairs[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(both[2 * i], both[2 * i + 1]),
                                _mm512_unpackhi_epi32(both[2 * i], both[2 * i + 1]));
  const __m512i first = _mm512_add_epi32(_mm512_unpacklo_epi64(pairs[0], pairs[1]),
                                         _mm512_unpackhi_epi64(pairs[0], pairs[1]));
  const __m512i second = _mm512_add_epi32(_mm512_unpacklo_epi64(pairs[2], pairs[3]),
                                          _mm512_unpackhi_epi64(pairs[2], pairs[3]));
  const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
  const __m512i high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
  return _mm512_add_epi32(_mm512_permutex2var_epi64(first, low, second),
                          _mm512_permutex2var_epi64(first, high, second));
}

// What 16 blocks of each row of a panel give with one batch row, before the floats are summed.
struct alignas(64) RowBlocks {
  std::int32_t products[kPanelRows][16];
  float scales[kPanelRows][16];
  float minima[kPanelRows][16];
};

// `count` blocks, at most 16, of one weight row times those of one batch row, as the panel's row
// `row`. Those beyond give nothing.
template <typename Format, bool kWhole>
void multiply_blocks(const typename Format::Block* weights, const BatchBlock* batch, int count,
                     int row, RowBlocks& out) {
  const int blocks = kWhole ? 16 : count;
  __m256i lanes[16];
  alignas(32) short scales[16], minima[16];
  if constexpr (!kWhole) {
    for (__m256i& lane : lanes) lane = _mm256_setzero_si256();
    _mm256_store_si256(reinterpret_cast<__m256i*>(scales), _mm256_setzero_si256());
    _mm256_store_si256(reinterpret_cast<__m256i*>(minima), _mm256_setzero_si256());
  }
#pragma GCC unroll 16
  for (int i = 0; i < blocks; ++i) {
    lanes[i] = _mm256_dpbusd_epi32(_mm256_setzero_si256(), Format::bytes(weights[i]),
                                   load_bytes(batch[i].values));
    scales[i] = half_of(weights[i], 0);
    if constexpr (Format::kHasMinimum) minima[i] = half_of(weights[i], 2);
  }
  _mm512_store_si512(out.products[row], sums_of_lanes(lanes));
  _mm512_store_ps(out.scales[row], floats_of([&](int i) { return scales[i]; }));
  if constexpr (Format::kHasMinimum)
    _mm512_store_ps(out.minima[row], floats_of([&](int i) { return minima[i]; }));
}

// One weight row, read from its first byte to its last: a stream that the prefetcher sees.
template <typename Format>
void multiply_row(const typename Format::Block* weights, int row, const BatchBlock* batch,
                  std::int64_t blocks, RowBlocks* out) {
  std::int64_t first = 0;
  for (; first + 16 <= blocks; first += 16)
    multiply_blocks<Format, true>(weights + first, batch + first, 16, row, *out++);
  if (first < blocks)
    multiply_blocks<Format, false>(weights + first, batch + first, static_cast<int>(blocks - first),
                                   row, *out);
}

// Columns of 16 rows of 16 numbers of 32 bits.
inline void transpose(const void* rows, __m512i (&columns)[16]) {
  const auto row = [&](int i) {
    return _mm512_load_si512(static_cast<const char*>(rows) + 64 * i);
  };
  __m512i fours[16];  // [4 g + c]: of rows 4 g to 4 g + 3, the columns c, 4 + c, 8 + c, 12 + c
#pragma GCC unroll 4
  for (int g = 0; g < 16; g += 4) {
    const __m512i low = _mm512_unpacklo_epi32(row(g), row(g + 1));
    const __m512i high = _mm512_unpackhi_epi32(row(g), row(g + 1));
    const __m512i low_next = _mm512_unpacklo_epi32(row(g + 2), row(g + 3));
    const __m512i high_next = _mm512_unpackhi_epi32(row(g + 2), row(g + 3));
    fours[g] = _mm512_unpacklo_epi64(low, low_next);
    fours[g + 1] = _mm512_unpackhi_epi64(low, low_next);
    fours[g + 2] = _mm512_unpacklo_epi64(high, high_next);
    fours[g + 3] = _mm512_unpackhi_epi64(high, high_next);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i even = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0x88);
    const __m512i even_next = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0x88);
    const __m512i odd = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0xdd);
    const __m512i odd_next = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0xdd);
    columns[c] = _mm512_shuffle_i32x4(even, even_next, 0x88);
    columns[4 + c] = _mm512_shuffle_i32x4(odd, odd_next, 0x88);
    columns[8 + c] = _mm512_shuffle_i32x4(even, even_next, 0xdd);
    columns[12 + c] = _mm512_shuffle_i32x4(odd, odd_next, 0xdd);
  }
}

// A panel times one batch row, with the sums of multiply_panel(). `scratch`: for each 16 blocks.
template <typename Format>
void multiply_rows(const PanelRows<typename Format::Block>& panel, const BatchBlock* batch,
                   std::int64_t blocks, RowBlocks* scratch, float* out, __mmask16 rows) {
  for (int row = 0; row < kPanelRows; ++row)
    multiply_row<Format>(panel.rows[row], row, batch, blocks, scratch);
  __m512 sum = _mm512_setzero_ps();
  for (std::int64_t first = 0; first < blocks; first += 16, ++scratch) {
    __m512i products[16], scales[16], minima[16];
    transpose(scratch->products, products);
    transpose(scratch->scales, scales);
    if constexpr (Format::kHasMinimum) transpose(scratch->minima, minima);
    const int count = static_cast<int>(std::min<std::int64_t>(16, blocks - first));
    for (int i = 0; i < count; ++i) {
      const BatchBlock& of = batch[first + i];
      __m512 minimum = _mm512_setzero_ps();
      if constexpr (Format::kHasMinimum) minimum = _mm512_castsi512_ps(minima[i]);
      sum = add_block<Format>(sum, _mm512_add_epi32(products[i], _mm512_set1_epi32(of.start)),
                              _mm512_castsi512_ps(scales[i]), minimum, of);
    }
  }
  _mm512_mask_storeu_ps(out, rows, sum);
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
  made.scale = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half_of(block, 0) & 0xffff)));
  made.start = -Format::kOffset * sum;
  made.total = made.scale * static_cast<float>(sum);
  return made;
}

}  // namespace infernode_panels
#endif
