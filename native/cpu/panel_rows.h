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

// A chunk of a batch row that is multiplied alone; blocks beyond the row's last are zeros. Of
// formats with pairs of values in a byte, a register has the first halves of four blocks or
// their second halves; of others, block i and block i + 8.
template <typename Format>
struct alignas(64) RowBatch {
  std::int8_t values[kChunk / 2][64];
  std::int32_t starts[kChunk];  // see BatchBlock
  float scales[kChunk];
  float totals[kChunk];

  void set(int block, const BatchBlock& made) {
    if constexpr (Format::kPairs) {
      for (int half = 0; half < 2; ++half)
        std::memcpy(values[block / 4 * 2 + half] + block % 4 * 16, made.values + 16 * half, 16);
    } else {
      std::memcpy(values[block % 8] + block / 8 * 32, made.values, 32);
    }
    starts[block] = made.start;
    scales[block] = made.scale;
    totals[block] = made.total;
  }
};

// The sums of the eight lanes of each half of eight registers: those of the low halves first.
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

// The sums of the four lanes of each 128 bits of four registers, register after register.
inline __m512i sums_of_small_lanes(const __m512i (&all)[4]) {
  const __m512i first = _mm512_add_epi32(_mm512_unpacklo_epi32(all[0], all[1]),
                                         _mm512_unpackhi_epi32(all[0], all[1]));
  const __m512i second = _mm512_add_epi32(_mm512_unpacklo_epi32(all[2], all[3]),
                                          _mm512_unpackhi_epi32(all[2], all[3]));
  const __m512i places = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(places, _mm512_add_epi32(_mm512_unpacklo_epi64(first, second),
                                                           _mm512_unpackhi_epi64(first, second)));
}

// What block(0) to block(kBlocks - 1), of a chunk of one weight row, give with the batch row's; 0
// for the others.
template <typename Format, int kBlocks, typename BlockAt>
__m512i products_of(const BlockAt& block, const RowBatch<Format>& batch) {
  const auto values = [&](int i) { return _mm512_load_si512(batch.values[i]); };
  if constexpr (Format::kPairs) {
    __m512i lanes[4];
#pragma GCC unroll 4
    for (int four = 0; four < 4; ++four) {
      lanes[four] = _mm512_setzero_si512();
      if (4 * four >= kBlocks) continue;
      __m512i first, second;
      Format::read_four(
          [&](int i) -> const auto& { return block(4 * four + i); }, first, second);
      lanes[four] = _mm512_dpbusd_epi32(lanes[four], first, values(2 * four));
      lanes[four] = _mm512_dpbusd_epi32(lanes[four], second, values(2 * four + 1));
    }
    return sums_of_small_lanes(lanes);
  } else {
    __m512i lanes[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      lanes[i] = _mm512_setzero_si512();
      if (i >= kBlocks) continue;
      __m512i both = _mm512_zextsi256_si512(Format::bytes(block(i)));
      if (i + 8 < kBlocks) both = _mm512_inserti64x4(both, Format::bytes(block(i + 8)), 1);
      lanes[i] = _mm512_dpbusd_epi32(lanes[i], both, values(i));
    }
    return sums_of_lanes(lanes);
  }
}

// Adds blocks 4 kLane to 4 kLane + 3 to the sums of the even and of the odd blocks, as
// add_block() does: fma(products, scales, sum), or sum + terms where the format has minima.
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

// Adds the first kBlocks blocks of a chunk to the sums. What `some` does not have gives nothing,
// whatever its scale is.
template <typename Format, int kBlocks>
__m128 add_blocks(__m128 sums, __m512i products_alone, const Factors& factors, __mmask16 some,
                  const RowBatch<Format>& batch) {
  const __m512 products =
      _mm512_cvtepi32_ps(_mm512_add_epi32(products_alone, _mm512_load_si512(batch.starts)));
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

// The same of `count` blocks, kBlocks at most; in place of those beyond it reads the last again.
template <typename Format, int kBlocks>
__m128 add_rest(__m128 sums, const typename Format::Block* weights, const RowBatch<Format>& batch,
                int count) {
  const auto block = [&](int i) -> const auto& { return weights[std::min(i, count - 1)]; };
  return add_blocks<Format, kBlocks>(sums, products_of<Format, kBlocks>(block, batch),
                                     factors_of<Format, kBlocks>(block),
                                     static_cast<__mmask16>((1U << count) - 1), batch);
}

// The sums of one weight row, of the even and of the odd blocks.
template <typename Format>
__m128 multiply_row(const typename Format::Block* weights, const RowBatch<Format>* batch,
                    std::int64_t blocks) {
  __m128 sums = _mm_setzero_ps();
  for (; blocks >= kChunk; blocks -= kChunk, weights += kChunk, ++batch) {
    const auto block = [&](int i) -> const auto& { return weights[i]; };
    const __m512i products = products_of<Format, kChunk>(block, *batch);
    sums = add_blocks<Format, kChunk>(sums, products, factors_of<Format>(block), 0xffff, *batch);
  }
  const int count = static_cast<int>(blocks);
  if (count == 0) return sums;
  if (count <= 4) return add_rest<Format, 4>(sums, weights, *batch, count);
  if (count <= 8) return add_rest<Format, 8>(sums, weights, *batch, count);
  if (count <= 12) return add_rest<Format, 12>(sums, weights, *batch, count);
  return add_rest<Format, kChunk>(sums, weights, *batch, count);
}

// A panel times one batch row.
template <typename Format>
void multiply_rows(const PanelRows<typename Format::Block>& panel, const RowBatch<Format>* batch,
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
