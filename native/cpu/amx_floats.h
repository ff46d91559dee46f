// Products of BF16 weights with batch rows of 32-bit floats by tiles of AMX. A batch value is the
// sum of two BF16 values to within 2^-16 of it, and a tile of weights is multiplied by both;
// weights are tiles as they are, 16 rows of 32 values. An element's bits depend neither on the rows
// computed with it nor on the thread: it is the sum of the same products in the same order.
#pragma once

#include "amx_tiles.h"
#include "float_kernels.h"

#ifdef INFERNODE_TILES
#include <cpuid.h>

namespace infernode_panels {

constexpr std::int64_t kTileValues = 32;  // of a row, of 16 bits
constexpr int kTileColumns = 16;          // most batch rows of a group

// Beside permission (may_use_tiles()).
[[nodiscard]] inline bool has_bf16_tiles() {
  static const bool found = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 22 & 1) != 0;
  }();
  return found;
}

// Two panels of weights, the two parts of the batch, sums by panel and part.
constexpr int kWeightTiles = 0, kBatchTiles = 2, kTileSums = 4;

// For groups of `columns` batch rows.
inline TileShapes bf16_shapes(int columns) {
  TileShapes shapes;
  for (int tile = 0; tile < 8; ++tile)
    shapes.set(tile, kPanelRows, tile < kBatchTiles ? 64 : 4 * columns);
  return shapes;
}

inline std::int64_t tiles_of(std::int64_t width) { return (width + kTileValues - 1) / kTileValues; }

// `columns` batch rows as tiles: of each 32 values first the upper parts, then the lower ones,
// pairs of values below each other. Rows beyond `columns` and values beyond the width are zeros.
inline void spread_bf16(const float* row, std::int64_t distance, std::int64_t columns,
                        std::int64_t each, std::int64_t width, std::uint32_t* out) {
  const std::int64_t tiles = tiles_of(width);
  if (columns < each) std::fill_n(out, tiles * kTileValues * each, 0);
  for (std::int64_t column = 0; column < columns; ++column, row += distance) {
    std::uint32_t* to = out + column;
    for (std::int64_t first = 0; first < tiles * kTileValues; first += kLanes) {
      const auto count = static_cast<unsigned>(std::clamp<std::int64_t>(width - first, 0, kLanes));
      const __m512 values =
          _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), row + first);
      const __m512i bits = _mm512_castps_si512(values);
      const __m512i upper = _mm512_and_si512(bits, _mm512_set1_epi32(-65536));
      // infinity minus itself is no number
      const __mmask16 finite =
          _mm512_cmplt_epu32_mask(_mm512_slli_epi32(bits, 1), _mm512_set1_epi32(-16777216));
      const __m512i rest =
          _mm512_castps_si512(_mm512_maskz_sub_ps(finite, values, _mm512_castsi512_ps(upper)));
      // rounded to the nearest; a half upwards
      const __m512i lower = _mm512_add_epi32(rest, _mm512_set1_epi32(0x8000));
      alignas(32) std::uint32_t pairs[2][kLanes / 2];
      const auto store_words = [](std::uint32_t(&words)[kLanes / 2], __m512i of) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(words),
                           _mm512_cvtepi32_epi16(_mm512_srli_epi32(of, 16)));
      };
      store_words(pairs[0], upper);
      store_words(pairs[1], lower);
      std::uint32_t* const tile =
          to + first / kTileValues * kTileValues * each + first % kTileValues / 2 * each;
#pragma GCC unroll 8
      for (int pair = 0; pair < kLanes / 2; ++pair) {
        tile[pair * each] = pairs[0][pair];
        tile[(pair + kTileValues / 2) * each] = pairs[1][pair];
      }
    }
  }
}

// Where the tiles of a panel's weights are.
struct WeightTiles {
  const char* begin;
  std::int64_t between_rows, between_tiles;  // bytes
};

// A group's sums with two panels, by panel and part.
struct alignas(64) GroupSums {
  float sums[2][2][kPanelRows][kTileColumns];

  // The results of the first `rows` rows of a panel for `columns` batch rows.
  void finish(int panel, float* out, std::int64_t ldc, int rows, std::int64_t columns) const {
    const auto* const upper = sums[panel][0];
    const auto* const lower = sums[panel][1];
    for (int first = 0; first < columns; first += 8) {
      const auto eight = [&](int row) {
        return _mm256_castps_si256(
            _mm256_add_ps(_mm256_load_ps(upper[row] + first), _mm256_load_ps(lower[row] + first)));
      };
      Register lanes[8];
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) lanes[i] = from_halves<true>(eight, i);
      transpose(lanes);
      for (int i = 0; i < std::min<std::int64_t>(8, columns - first); ++i)
        store_first(out + ldc * (first + i), rows, _mm512_castsi512_ps(lanes[i]));
    }
  }
};

// Adds to the sums the products of kPanels panels with a group of batch rows of `each` columns.
// `starts`: there are no sums yet. `ahead`: weights to prefetch.
template <int kPanels>
void multiply_bf16(const WeightTiles (&weights)[2], const std::uint32_t* batch, std::int64_t tiles,
                   std::int64_t each, bool starts, const char* ahead, GroupSums& out) {
  constexpr int kUpper = kTileSums, kLower = kTileSums + 2;
  if (starts) {
    clear_tile<kUpper>();
    clear_tile<kLower>();
    if constexpr (kPanels == 2) {
      clear_tile<kUpper + 1>();
      clear_tile<kLower + 1>();
    }
  } else {
    load_tile<kUpper>(out.sums[0][0], 64);
    load_tile<kLower>(out.sums[0][1], 64);
    if constexpr (kPanels == 2) {
      load_tile<kUpper + 1>(out.sums[1][0], 64);
      load_tile<kLower + 1>(out.sums[1][1], 64);
    }
  }
  const char* first = weights[0].begin;
  const char* second = weights[1].begin;
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    if (ahead != nullptr) {
#pragma GCC unroll 32
      for (int line = 0; line < kPanels * kPanelRows; ++line)
        _mm_prefetch(ahead + 64 * line, _MM_HINT_T1);
      ahead += kPanels * 1024;
    }
    load_tile<kBatchTiles>(batch, 4 * each);
    load_tile<kWeightTiles>(first, weights[0].between_rows);
    multiply_bf16_tiles<kUpper, kWeightTiles, kBatchTiles>();
    if constexpr (kPanels == 2) {
      load_tile<kWeightTiles + 1>(second, weights[1].between_rows);
      multiply_bf16_tiles<kUpper + 1, kWeightTiles + 1, kBatchTiles>();
    }
    load_tile<kBatchTiles + 1>(batch + 16 * each, 4 * each);
    multiply_bf16_tiles<kLower, kWeightTiles, kBatchTiles + 1>();
    if constexpr (kPanels == 2)
      multiply_bf16_tiles<kLower + 1, kWeightTiles + 1, kBatchTiles + 1>();
    batch += 32 * each;
    first += weights[0].between_tiles;
    second += weights[1].between_tiles;
  }
  store_tile<kUpper>(out.sums[0][0], 64);
  store_tile<kLower>(out.sums[0][1], 64);
  if constexpr (kPanels == 2) {
    store_tile<kUpper + 1>(out.sums[1][0], 64);
    store_tile<kLower + 1>(out.sums[1][1], 64);
  }
}

constexpr std::int64_t kPackedTiles = 16;  // two panels of so many stay in the first-level cache

struct alignas(64) PackedTiles {
  std::uint16_t tiles[kPackedTiles][kPanelRows][kTileValues];
};

// Tiles of a panel's weights from value `first` on, one after another; `ahead`: to prefetch.
inline void pack_tiles(const PanelRows<std::uint16_t>& rows, std::int64_t first, std::int64_t width,
                       const char* ahead, PackedTiles& out) {
  const std::int64_t count = std::min(kPackedTiles * kTileValues, width - first);
  ahead += first * kPanelRows * 2;
  for (int row = 0; row < kPanelRows; ++row, ahead += count * 2) {
    const std::uint16_t* const from = rows.rows[row] + first;
    for (std::int64_t i = 0; i < count; i += kTileValues) {
      const auto some = static_cast<unsigned>(std::min(kTileValues, count - i));
      _mm_prefetch(ahead + 2 * i, _MM_HINT_T1);
      const auto mask = static_cast<__mmask32>((std::uint64_t{1} << some) - 1);
      _mm512_store_si512(out.tiles[i / kTileValues][row], _mm512_maskz_loadu_epi16(mask, from + i));
    }
  }
}

}  // namespace infernode_panels
#endif
