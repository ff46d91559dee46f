// Products of a panel's weight rows and a single batch row: a matter of
// reading. Weight rows are read one after another, the one stream that a
// prefetcher follows best, and nothing is written meanwhile. Each sum has the
// bits that multiply_panel() gives it.
#pragma once

#include "panel_kernels.h"

#ifdef INFERNODE_MEASURED_AVX512_VNNI
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace infernode_panels {

constexpr int kChunk = 16;  // blocks whose sums fill a register

// A chunk of a batch row that is multiplied alone; blocks beyond the row's last
// are zeros.
struct alignas(64) RowBatch {
  std::int8_t values[8][2][kBlockValues];  // [i][0]: block i; [i][1]: block i + 8
  std::int32_t starts[kChunk];             // see BatchBlock
  float scales[kChunk];
  float totals[kChunk];

  void set(int block, const BatchBlock& made) {
    std::memcpy(values[block % 8][block / 8], made.values, sizeof made.values);
    starts[block] = made.start;
    scales[block] = made.scale;
    totals[block] = made.total;
  }
};

// The sums of the eight lanes of each half of eight registers: those of the low
// halves first.
inline __m512i sums_of_lanes(const __m512i (&both)[8]) {
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

// Adds blocks 4 kLane to 4 kLane + 3 to the sums of the even and of the odd
// blocks, as add_block() does: fma(products, scales, sum), or sum + terms where
// the format has minima.
template <typename Format, int kLane>
__m128 add_lane(__m128 sums, __m512 products, __m512 scales, __m512 terms) {
  const auto lane = [](__m512 all) { return _mm512_extractf32x4_ps(all, kLane); };
  const auto next = [](__m128 pairs) { return _mm_movehl_ps(pairs, pairs); };
  if constexpr (Format::kHasMinimum) {
    const __m128 four = lane(terms);
    return _mm_add_ps(_mm_add_ps(sums, four), next(four));
  } else {
    const __m128 of[] = {lane(products), lane(scales)};
    return _mm_fmadd_ps(next(of[0]), next(of[1]), _mm_fmadd_ps(of[0], of[1], sums));
  }
}

// Adds the first kBlocks blocks of a chunk of one weight row, block(i) each, to
// its sums. What `some` does not have gives nothing, whatever its scale is.
template <typename Format, int kBlocks, typename BlockAt>
__m128 add_blocks(__m128 sums, const BlockAt& block, __mmask16 some, const RowBatch& batch) {
  __m512i lanes[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    lanes[i] = _mm512_setzero_si512();
    if (i >= kBlocks) continue;
    __m512i both = _mm512_zextsi256_si512(Format::bytes(block(i)));
    if (i + 8 < kBlocks) both = _mm512_inserti64x4(both, Format::bytes(block(i + 8)), 1);
    lanes[i] = _mm512_dpbusd_epi32(lanes[i], both, _mm512_load_si512(batch.values[i]));
  }
  const __m512 products =
      _mm512_cvtepi32_ps(_mm512_add_epi32(sums_of_lanes(lanes), _mm512_load_si512(batch.starts)));
  const Factors factors = factors_of<Format, kBlocks>(block);
  const __m512 scales = _mm512_maskz_mul_ps(some, factors.scales, _mm512_load_ps(batch.scales));
  __m512 terms = _mm512_setzero_ps();
  if constexpr (Format::kHasMinimum)
    terms = _mm512_fmadd_ps(
        products, scales, _mm512_maskz_mul_ps(some, factors.minima, _mm512_load_ps(batch.totals)));
  sums = add_lane<Format, 0>(sums, products, scales, terms);
  if constexpr (kBlocks > 4) sums = add_lane<Format, 1>(sums, products, scales, terms);
  if constexpr (kBlocks > 8) sums = add_lane<Format, 2>(sums, products, scales, terms);
  if constexpr (kBlocks > 12) sums = add_lane<Format, 3>(sums, products, scales, terms);
  return sums;
}

// The same of `count` blocks, kBlocks at most; in place of those beyond it
// reads the last again.
template <typename Format, int kBlocks>
__m128 add_rest(__m128 sums, const typename Format::Block* weights, const RowBatch& batch,
                int count) {
  const auto block = [&](int i) -> const auto& { return weights[std::min(i, count - 1)]; };
  return add_blocks<Format, kBlocks>(sums, block, static_cast<__mmask16>((1U << count) - 1), batch);
}

// The sums of one weight row, of the even and of the odd blocks.
template <typename Format>
__m128 multiply_row(const typename Format::Block* weights, const RowBatch* batch,
                    std::int64_t blocks) {
  const auto block = [&](int i) -> const auto& { return weights[i]; };
  __m128 sums = _mm_setzero_ps();
  for (; blocks >= kChunk; blocks -= kChunk, weights += kChunk)
    sums = add_blocks<Format, kChunk>(sums, block, 0xffff, *batch++);
  const int count = static_cast<int>(blocks);
  if (count == 0) return sums;
  if (count <= 4) return add_rest<Format, 4>(sums, weights, *batch, count);
  if (count <= 8) return add_rest<Format, 8>(sums, weights, *batch, count);
  if (count <= 12) return add_rest<Format, 12>(sums, weights, *batch, count);
  return add_rest<Format, kChunk>(sums, weights, *batch, count);
}

// A panel times one batch row.
template <typename Format>
void multiply_rows(const PanelRows<typename Format::Block>& panel, const RowBatch* batch,
                   std::int64_t blocks, float* out, __mmask16 rows) {
  for (int first = 0; first < kPanelRows; first += 4) {
    __m128 sums[4];
    for (int row = 0; row < 4; ++row)
      sums[row] = multiply_row<Format>(panel.rows[first + row], batch, blocks);
    _MM_TRANSPOSE4_PS(sums[0], sums[1], sums[2], sums[3]);
    _mm_mask_storeu_ps(out + first, static_cast<__mmask8>(rows >> first & 0xf),
                       _mm_add_ps(sums[0], sums[1]));
  }
}

}  // namespace infernode_panels
#endif
