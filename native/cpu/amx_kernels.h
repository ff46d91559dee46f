// Products of a panel with 16 batch rows at a time by AMX: a tile of batch rows times a tile of the
// panel's. All integers are exact and sums are those of panel_kernels.h and super_kernels.h, so the
// results are equal to the bit.
#pragma once

#include "amx_tiles.h"
#include "super_kernels.h"

#ifdef INFERNODE_TILES

namespace infernode_panels {

constexpr int kTileRows = 16;  // of batch rows

// A product has groups of at most two sizes. Each has its own tiles: of batch rows and of sums.
struct TilesOfGroup {
  int rows, sums, more_sums;
};
constexpr TilesOfGroup kLargerGroup{0, 3, 4}, kSmallerGroup{1, 5, 6};
constexpr int kWeightTile = 2;

// For groups of `larger` and of `smaller` rows, and `width` values at a time.
inline TileShapes shapes_of(int larger, int smaller, int width) {
  TileShapes shapes;
  shapes.set(kWeightTile, width / 4, 64);
  const auto set = [&](const TilesOfGroup& tiles, int rows) {
    shapes.set(tiles.rows, rows, width);
    shapes.set(tiles.sums, rows, 64);
    shapes.set(tiles.more_sums, rows, 64);
  };
  set(kLargerGroup, larger);
  set(kSmallerGroup, smaller);
  return shapes;
}

// --- blocks of 32 ---------------------------------------------------------------

// A panel of signed bytes, so that sums need no initial value.
template <typename Format>
void interleave_signed(const PanelRows<typename Format::Block>& panel, std::int64_t block,
                       PanelBlock& out) {
  const auto at = [&](int row) -> const auto& { return panel.rows[row][block]; };
  const __m256i offset = _mm256_set1_epi8(static_cast<char>(Format::kOffset));
  interleave_bytes([&](int row) { return _mm256_sub_epi8(Format::bytes(at(row)), offset); },
                   out.values);
  const Factors factors = factors_of<Format>(at);
  store(out.scales, factors.scales);
  if constexpr (Format::kHasMinimum) store(out.minima, factors.minima);
}

template <bool kMinimum>
struct OfMinima {
  static constexpr bool kHasMinimum = kMinimum;
};

// Sums of kCount batch rows with a panel's rows.
struct alignas(64) TileSums {
  std::int32_t sums[kTileRows][kPanelRows];
};

template <const TilesOfGroup& kTiles>
[[gnu::always_inline]] inline void multiply_block(const PanelBlock& panel, const BatchBlock* batch,
                                                  TileSums& out) {
  clear_tile<kTiles.sums>();
  load_tile<kTiles.rows>(batch->values, sizeof(BatchBlock));
  load_tile<kWeightTile>(panel.values, 64);
  multiply_tiles<kTiles.sums, kTiles.rows, kWeightTile>();
  store_tile<kTiles.sums>(out.sums, 64);
}

// As multiply_panel(): the even blocks first, then the odd ones, so that the sums of 16 batch rows
// fit the registers. Tiles are some blocks ahead of the sums, because a tile takes long to arrive.
template <bool kHasMinimum, int kCount, const TilesOfGroup& kTiles>
void multiply_panel_by_tiles(const PanelBlock* panel, const BatchBlock* batch, std::int64_t blocks,
                             PanelSums* sums, const ResultLines& results) {
  using Format = OfMinima<kHasMinimum>;
  constexpr std::int64_t kAhead = 2;
  TileSums ring[4];
  const auto start = [&](std::int64_t block) {
    multiply_block<kTiles>(panel[block], batch + block * kCount, ring[block / 2 % 4]);
  };
  for (int odd = 0; odd < 2; ++odd) {
    Floats own[kCount];
#pragma GCC unroll 16
    for (int column = 0; column < kCount; ++column)
      own[column] = load_floats(odd == 0 ? sums[column].even : sums[column].odd);
    for (std::int64_t block = odd; block < std::min(blocks, odd + 2 * kAhead); block += 2)
      start(block);
    for (std::int64_t block = odd; block < blocks; block += 2) {
      if (block + 2 * kAhead < blocks) start(block + 2 * kAhead);
      results.prefetch(block, kCount);
      const TileSums& products = ring[block / 2 % 4];
      const Floats scales = load_floats(panel[block].scales);
      const Floats minima = kHasMinimum ? load_floats(panel[block].minima) : zero_floats();
#pragma GCC unroll 16
      for (int column = 0; column < kCount; ++column)
        own[column] = add_block<Format>(own[column], load_ints(products.sums[column]), scales,
                                        minima, batch[block * kCount + column].factors);
    }
#pragma GCC unroll 16
    for (int column = 0; column < kCount; ++column)
      store(odd == 0 ? sums[column].even : sums[column].odd, own[column]);
  }
}

// --- blocks of 256 --------------------------------------------------------------

// One block of each row of a panel: products of weights and integer scales, as 128 high + low. A
// block's products are then summed by the tiles alone.
template <typename Format>
struct alignas(64) TilePanel {
  std::int8_t low[QK_K / 4][64], high[QK_K / 4][64];
  std::int16_t minima[Format::kSums / 2][kPanelRows][2];
  float scale[kPanelRows];
  float minimum[kPanelRows];
};

template <typename Format>
void interleave_scaled(const PanelRows<typename Format::Block>& panel, std::int64_t block,
                       TilePanel<Format>& out) {
  SuperPanel<Format> plain;
  interleave_super<Format>(panel, block, plain);
  constexpr int kFours = QK_K / 4 / Format::kScales;  // per scale
  const auto* const weights = &plain.values[0][0];
  for (int scale = 0; scale < Format::kScales; ++scale) {
    const Ints factor = load_ints(plain.scales[scale]);
    const Ints bytes = both_of(factor, all_ints(0xff));
    const Ints even = either_of(bytes, left(bytes, 16)), odd = left(even, 8);
    const Ints moved =
        _mm512_mullo_epi16(word_pairs(factor, factor), _mm512_set1_epi16(Format::kOffset));
    const auto products = [&](Ints of, Ints by) {
      return _mm512_sub_epi16(_mm512_maddubs_epi16(of, by), moved);
    };
    const auto bytes_of = [](Ints even_bytes, Ints odd_bytes) {
      return _mm512_mask_mov_epi8(even_bytes, 0xaaaaaaaaaaaaaaaa, odd_bytes);
    };
#pragma GCC unroll 8
    for (int i = kFours * scale; i < kFours * (scale + 1); ++i) {
      const Ints four = load_ints(weights[i]);
      const Ints of_even = products(four, even), of_odd = products(four, odd);
      store(out.low[i], both_of(bytes_of(of_even, _mm512_slli_epi16(of_odd, 8)), all_bytes(0x7f)));
      store(out.high[i], bytes_of(words_right<7>(of_even), _mm512_slli_epi16(of_odd, 1)));
    }
  }
  std::memcpy(out.minima, plain.minima, sizeof out.minima);
  store(out.scale, load_floats(plain.scale));
  if constexpr (Format::kOffset == 0) store(out.minimum, load_floats(plain.minimum));
}

template <typename Format, const TilesOfGroup& kTiles>
[[gnu::always_inline]] inline void multiply_super_block(const TilePanel<Format>& panel,
                                                        const SuperBatch<Format>* batch,
                                                        TileSums& low, TileSums& high) {
  clear_tile<kTiles.sums>();
  clear_tile<kTiles.more_sums>();
#pragma GCC unroll 4
  for (int i = 0; i < QK_K / 64; ++i) {
    load_tile<kTiles.rows>(batch->values + 64 * i, sizeof(SuperBatch<Format>));
    load_tile<kWeightTile>(panel.low[16 * i], 64);
    multiply_tiles<kTiles.sums, kTiles.rows, kWeightTile>();
    load_tile<kWeightTile>(panel.high[16 * i], 64);
    multiply_tiles<kTiles.more_sums, kTiles.rows, kWeightTile>();
  }
  store_tile<kTiles.sums>(low.sums, 64);
  store_tile<kTiles.more_sums>(high.sums, 64);
}

// As multiply_super_panel(), for `count` batch rows.
template <typename Format, const TilesOfGroup& kTiles>
void multiply_super_panel_by_tiles(const TilePanel<Format>* panel, const SuperBatch<Format>* batch,
                                   std::int64_t blocks, int count, SuperSums* of,
                                   const ResultLines& results) {
  TileSums lows[2], highs[2];
  const auto start = [&](std::int64_t block) {
    multiply_super_block<Format, kTiles>(panel[block], batch + block * count, lows[block % 2],
                                         highs[block % 2]);
  };
  start(0);
  for (std::int64_t block = 0; block < blocks; ++block) {
    if (block + 1 < blocks) start(block + 1);
    const Floats scale = load_floats(panel[block].scale);
    const Floats minimum = Format::kOffset == 0 ? load_floats(panel[block].minimum) : scale;
    for (int column = 0; column < count; ++column) {
      if (block + 1 == blocks) results.prefetch(column, count);
      const SuperBatch<Format>& row = batch[block * count + column];
      const Ints total = add(load_ints(lows[block % 2].sums[column]),
                             left(load_ints(highs[block % 2].sums[column]), 7));
      // the offset is a part of the panel
      const Ints minima =
          Format::kOffset == 0 ? minima_of<Format>(panel[block].minima, row) : zero_ints();
      float* const sums = of[column].sums;
      store(sums, add_super_block<Format>(load_floats(sums), to_floats(total), to_floats(minima),
                                          scale, minimum, all_floats(row.scale)));
    }
  }
}

}  // namespace infernode_panels
#endif
