// The arithmetic of attention_kernels.h for many rows: in registers of 512 bits where there are
// such. Each result equals that of 256 bits to the bit: scores are added in the same eight lanes,
// and every column of the values has a lane of its own.
#pragma once

#include "attention_kernels.h"

#ifdef __AVX512F__

namespace infernode {

constexpr int kPair = 2 * kLanes;
constexpr int kMostRowsAtOnce = 4;
constexpr int kCellsOfMany = 8;  // at once

// Keys in 32 bits, two cells to a register: eight values of a cell, the same eight of the next.
struct KeysOfMany {
  const float* data;
  std::int64_t size;

  template <typename... Asked>
  KeysOfMany(const Halves& from, std::int64_t values, int padded, float* memory, Asked... ahead)
      : data(memory), size(values) {
    for (int index = 0; index < padded; ++index) {
      (ahead.ask(index), ...);
      float* const out = memory + index / 2 * 2 * size + index % 2 * kLanes;
      for (std::int64_t i = 0; i < size; i += kLanes)
        _mm256_storeu_ps(out + 2 * i, from.eight(index, i));
    }
  }

  __m512 eight_of_two(int pair, std::int64_t i) const {
    return _mm512_loadu_ps(data + 2 * (pair * size + i));
  }
};

// Sums of neighbours, in the order of _mm256_hadd_ps().
inline __m512 neighbours_added(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}

// As sums_of(), for four pairs of cells.
inline __m256 sums_of_pairs(const __m512 (&x)[4]) {
  const __m512 fours = neighbours_added(neighbours_added(x[0], x[1]), neighbours_added(x[2], x[3]));
  const __m128 even = _mm_add_ps(_mm512_castps512_ps128(fours), _mm512_extractf32x4_ps(fours, 1));
  const __m128 odd = _mm_add_ps(_mm512_extractf32x4_ps(fours, 2), _mm512_extractf32x4_ps(fours, 3));
  return _mm256_set_m128(_mm_unpackhi_ps(even, odd), _mm_unpacklo_ps(even, odd));
}

// As score(), eight keys at a time.
template <int kRows>
void score_many_keys(const float* const* queries, const KeysOfMany& keys, int cells,
                     float* const* out) {
  constexpr int kPairs = kCellsOfMany / 2;
  for (int cell = 0; cell < cells; cell += kCellsOfMany) {
    __m512 sums[kRows][kPairs];
    for (auto& row : sums) std::fill_n(row, kPairs, _mm512_setzero_ps());
    for (std::int64_t i = 0; i < keys.size; i += kLanes) {
      __m512 found[kPairs];
#pragma GCC unroll 4
      for (int pair = 0; pair < kPairs; ++pair) found[pair] = keys.eight_of_two(cell / 2 + pair, i);
#pragma GCC unroll 4
      for (int row = 0; row < kRows; ++row) {
        const __m512 query = _mm512_broadcast_f32x8(_mm256_loadu_ps(queries[row] + i));
#pragma GCC unroll 4
        for (int pair = 0; pair < kPairs; ++pair)
          sums[row][pair] = _mm512_fmadd_ps(query, found[pair], sums[row][pair]);
      }
    }
#pragma GCC unroll 4
    for (int row = 0; row < kRows; ++row)
      _mm256_storeu_ps(out[row] + cell, sums_of_pairs(sums[row]));
  }
}

// As add_columns(), kVectors vectors of sixteen columns for each of kRows rows.
template <int kRows, int kVectors>
void add_wide_columns(const float* const* weights, const Floats& values, int cells,
                      float* const* out, std::int64_t column) {
  __m512 sums[kRows][kVectors];
#pragma GCC unroll 4
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i)
      sums[row][i] = _mm512_loadu_ps(out[row] + column + i * kPair);
  }
  for (int cell = 0; cell < cells; ++cell) {
    const float* const from = values.data + cell * values.size + column;
    __m512 found[kVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) found[i] = _mm512_loadu_ps(from + i * kPair);
#pragma GCC unroll 4
    for (int row = 0; row < kRows; ++row) {
      const __m512 weight = _mm512_set1_ps(weights[row][cell]);
#pragma GCC unroll 4
      for (int i = 0; i < kVectors; ++i)
        sums[row][i] = _mm512_fmadd_ps(weight, found[i], sums[row][i]);
    }
  }
#pragma GCC unroll 4
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i)
      _mm512_storeu_ps(out[row] + column + i * kPair, sums[row][i]);
  }
}

template <int kRows>
void add_many_values(const float* const* weights, const Floats& values, int cells,
                     float* const* out) {
  constexpr int kVectors = 4;
  std::int64_t column = 0;
  for (; column + kVectors * kPair <= values.size; column += kVectors * kPair)
    add_wide_columns<kRows, kVectors>(weights, values, cells, out, column);
  for (; column + kPair <= values.size; column += kPair)
    add_wide_columns<kRows, 1>(weights, values, cells, out, column);
  for (; column < values.size; column += kLanes)
    add_columns<kRows, 1>(weights, values, cells, out, column);
}

}  // namespace infernode

#else

namespace infernode {

constexpr int kMostRowsAtOnce = 2;
constexpr int kCellsOfMany = kCellsAtOnce;
using KeysOfMany = Floats;

template <int kRows>
void score_many_keys(const float* const* queries, const Floats& keys, int cells,
                     float* const* out) {
  score<kRows>(queries, keys, keys.size, cells, out);
}

template <int kRows>
void add_many_values(const float* const* weights, const Floats& values, int cells,
                     float* const* out) {
  add_values<kRows>(weights, values, values.size, cells, out);
}

}  // namespace infernode

#endif
