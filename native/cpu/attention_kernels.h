// The arithmetic of llama_attention.cpp: 16-bit keys and values for 32-bit rows, eight lanes at a
// time. A row's result does not depend on the rows computed with it.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ggml.h"

namespace infernode {

constexpr int kLanes = 8;
// ggml converts this many scores to weights at once and rounds a remainder differently, so a tile
// is a multiple of it.
#ifdef __AVX512F__
constexpr int kWeightLanes = 16;
#else
constexpr int kWeightLanes = kLanes;
#endif
constexpr int kTile = 64;  // cells
constexpr int kCellsAtOnce = 4;
constexpr std::uint16_t kHidden = 0xfc00;  // -infinity

inline const char* at(const ggml_tensor& tensor, std::int64_t i1, std::int64_t i2,
                      std::int64_t i3) {
  return static_cast<const char*>(tensor.data) + i1 * static_cast<std::int64_t>(tensor.nb[1]) +
         i2 * static_cast<std::int64_t>(tensor.nb[2]) +
         i3 * static_cast<std::int64_t>(tensor.nb[3]);
}

inline __m256 converted(const std::uint16_t* halves) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
}

inline void convert(const std::uint16_t* halves, int count, float* out) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) _mm256_storeu_ps(out + i, converted(halves + i));
  for (; i < count; ++i) out[i] = _cvtsh_ss(halves[i]);
}

// The tile's cells up to the last one that this token may see; 0 if it sees none.
inline int visible_cells(const std::uint16_t* mask, int count) {
  std::uint16_t padded[kTile];
  if (count < kTile) {
    std::fill_n(padded, kTile, kHidden);
    std::memcpy(padded, mask, static_cast<std::size_t>(count) * sizeof(std::uint16_t));
    mask = padded;
  }
  const __m256i hidden = _mm256_set1_epi16(static_cast<std::int16_t>(kHidden));
  const auto same = [&](int from) {
    const auto* sixteen = reinterpret_cast<const __m256i*>(mask + from);
    return _mm256_cmpeq_epi16(_mm256_loadu_si256(sixteen), hidden);
  };
  std::uint64_t visible = 0;
  for (int half = 0; half < 2; ++half) {
    const __m256i bytes = _mm256_packs_epi16(same(32 * half), same(32 * half + 16));
    const int in_order = _mm256_movemask_epi8(_mm256_permute4x64_epi64(bytes, 0xd8));
    visible |= static_cast<std::uint64_t>(~static_cast<std::uint32_t>(in_order)) << (32 * half);
  }
  return visible == 0 ? 0 : kTile - __builtin_clzll(visible);
}

// The cells of a tile that one head reads, as stored in the cache.
struct Halves {
  const char* data;
  std::int64_t distance;  // stride in bytes
  int last;               // indices beyond it read the last cell

  Halves(const ggml_tensor& from, std::int64_t first, int count, std::int64_t head,
         std::int64_t stream)
      : data(at(from, first, head, stream)),
        distance(static_cast<std::int64_t>(from.nb[1])),
        last(count - 1) {}

  const std::uint16_t* cell(int index) const {
    return reinterpret_cast<const std::uint16_t*>(data + std::min(index, last) * distance);
  }
  __m256 eight(int index, std::int64_t i) const { return converted(cell(index) + i); }
};

// Prefetches cells that follow, beyond the last one too: the cells of one head are too far apart
// for the hardware prefetcher.
struct Ahead {
  const char* data;
  std::int64_t distance;  // stride in bytes
  std::int64_t bytes;     // per cell

  Ahead(const ggml_tensor& from, std::int64_t first, std::int64_t head, std::int64_t stream)
      : data(at(from, first, head, stream)),
        distance(static_cast<std::int64_t>(from.nb[1])),
        bytes(from.ne[0] * static_cast<std::int64_t>(sizeof(std::uint16_t))) {}

  void ask(int index) const {
    constexpr std::int64_t kLine = 64;
    const char* begin = data + index * distance;
    for (std::int64_t i = 0; i < bytes; i += kLine) _mm_prefetch(begin + i, _MM_HINT_T0);
  }
};

// The same, converted to 32 bits for many rows.
struct Floats {
  const float* data;
  std::int64_t size;

  template <typename... Asked>
  Floats(const Halves& from, std::int64_t values, int padded, float* memory, Asked... ahead)
      : data(memory), size(values) {
    for (int index = 0; index < padded; ++index, memory += size) {
      (ahead.ask(index), ...);
      for (std::int64_t i = 0; i < size; i += kLanes)
        _mm256_storeu_ps(memory + i, from.eight(index, i));
    }
  }

  __m256 eight(int index, std::int64_t i) const { return _mm256_loadu_ps(data + index * size + i); }
};

inline __m128 sums_of(const __m256 (&x)[kCellsAtOnce]) {
  const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(x[0], x[1]), _mm256_hadd_ps(x[2], x[3]));
  return _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
}

// Dot products of kRows queries with the first `cells` keys, four at a time.
template <int kRows, typename Cells, typename... Asked>
void score(const float* const* queries, const Cells& keys, std::int64_t size, int cells,
           float* const* out, Asked... ahead) {
  for (int cell = 0; cell < cells; cell += kCellsAtOnce) {
    for (int key = 0; key < kCellsAtOnce; ++key) (ahead.ask(cell + key), ...);
    __m256 sums[kRows][kCellsAtOnce];
    for (auto& row : sums) std::fill_n(row, kCellsAtOnce, _mm256_setzero_ps());
    for (std::int64_t i = 0; i < size; i += kLanes) {
      __m256 query[kRows];
#pragma GCC unroll 4
      for (int row = 0; row < kRows; ++row) query[row] = _mm256_loadu_ps(queries[row] + i);
#pragma GCC unroll 4
      for (int key = 0; key < kCellsAtOnce; ++key) {
        const __m256 found = keys.eight(cell + key, i);
#pragma GCC unroll 4
        for (int row = 0; row < kRows; ++row)
          sums[row][key] = _mm256_fmadd_ps(query[row], found, sums[row][key]);
      }
    }
#pragma GCC unroll 4
    for (int row = 0; row < kRows; ++row) _mm_storeu_ps(out[row] + cell, sums_of(sums[row]));
  }
}

// Adds the first `cells` values, weighted, to the sums of kRows rows: kVectors vectors per row.
template <int kRows, int kVectors, typename Cells>
void add_columns(const float* const* weights, const Cells& values, int cells, float* const* out,
                 std::int64_t column) {
  __m256 sums[kRows][kVectors];
#pragma GCC unroll 4
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i)
      sums[row][i] = _mm256_loadu_ps(out[row] + column + i * kLanes);
  }
  for (int cell = 0; cell < cells; ++cell) {
    __m256 weight[kRows];
#pragma GCC unroll 4
    for (int row = 0; row < kRows; ++row) weight[row] = _mm256_broadcast_ss(weights[row] + cell);
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      const __m256 found = values.eight(cell, column + i * kLanes);
#pragma GCC unroll 4
      for (int row = 0; row < kRows; ++row)
        sums[row][i] = _mm256_fmadd_ps(weight[row], found, sums[row][i]);
    }
  }
#pragma GCC unroll 4
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i)
      _mm256_storeu_ps(out[row] + column + i * kLanes, sums[row][i]);
  }
}

template <int kRows, typename Cells>
void add_values(const float* const* weights, const Cells& values, std::int64_t size, int cells,
                float* const* out) {
  constexpr int kVectors = 4;
  std::int64_t column = 0;
  for (; column + kVectors * kLanes <= size; column += kVectors * kLanes)
    add_columns<kRows, kVectors>(weights, values, cells, out, column);
  for (; column < size; column += kLanes)
    add_columns<kRows, 1>(weights, values, cells, out, column);
}

// The same for one row, skipping cells with weight 0, whose values may be anything.
template <typename Cells>
void add_visible_values(const float* weights, const Cells& values, std::int64_t size, int cells,
                        float* out) {
  for (int cell = 0; cell < cells; ++cell) {
    if (weights[cell] == 0) continue;
    const __m256 weight = _mm256_broadcast_ss(weights + cell);
    for (std::int64_t i = 0; i < size; i += kLanes) {
      const __m256 sum = _mm256_loadu_ps(out + i);
      _mm256_storeu_ps(out + i, _mm256_fmadd_ps(weight, values.eight(cell, i), sum));
    }
  }
}

[[nodiscard]] inline bool has_nan(const float* values, std::int64_t size) {
  __m256 found = _mm256_setzero_ps();
  for (std::int64_t i = 0; i < size; i += kLanes) {
    const __m256 eight = _mm256_loadu_ps(values + i);
    found = _mm256_or_ps(found, _mm256_cmp_ps(eight, eight, _CMP_UNORD_Q));
  }
  return _mm256_movemask_ps(found) != 0;
}

inline void scale_by(float* values, std::int64_t size, float factor) {
  const __m256 factors = _mm256_set1_ps(factor);
  for (std::int64_t i = 0; i < size; i += kLanes)
    _mm256_storeu_ps(values + i, _mm256_mul_ps(_mm256_loadu_ps(values + i), factors));
}

inline float largest_of(__m256 x) {
  __m128 most = _mm_max_ps(_mm256_extractf128_ps(x, 1), _mm256_castps256_ps128(x));
  most = _mm_max_ps(most, _mm_movehl_ps(most, most));
  return _mm_cvtss_f32(_mm_max_ss(most, _mm_movehdup_ps(most)));
}

// of(0) to of(kCount - 1).
template <int kCount, typename Of>
auto each(const Of& of) {
  std::array<decltype(of(0)), kCount> all;
  for (int i = 0; i < kCount; ++i) all[static_cast<std::size_t>(i)] = of(i);
  return all;
}

// Calls take<n>(rows) for a tile's rows, kMost at a time, and for what is left.
template <int kMost, typename Take>
void in_groups(const int* rows, int count, const Take& take) {
  for (; count >= kMost; rows += kMost, count -= kMost) take.template operator()<kMost>(rows);
  if constexpr (kMost > 1) {
    if (count > 0) in_groups<kMost - 1>(rows, count, take);
  }
}

}  // namespace infernode
