// What llama_panels.cpp needs to know of each kind of product: the layouts of the weights, of a
// panel and of the batch, and the routines for them. Kinds differ by weight type, and by whether
// tiles of AMX multiply.
#pragma once

#include "amx_kernels.h"
#include "packed_panels.h"
#include "rooms.h"
#include "super_rows.h"

#ifdef INFERNODE_PANELS
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace infernode_panels {

template <typename Kind>
using PanelKernel = void(const typename Kind::Panel*, const typename Kind::Column*, std::int64_t,
                         typename Kind::Sums*);

// [i]: the routine for i + 1 batch rows.
template <typename Kind>
constexpr auto kKernels = []<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
  return std::array<PanelKernel<Kind>*, Kind::kColumns>{Kind::template multiplied<kIndex + 1>...};
}
(std::make_index_sequence<Kind::kColumns>());

// Multiplies blocks of a panel by a group of batch rows.
template <typename Kind>
void run_kernel(const Groups& groups, std::int64_t group, const typename Kind::Panel* panel,
                const typename Kind::Column* batch, std::int64_t blocks,
                typename Kind::Sums* sums) {
  kKernels<Kind>[static_cast<std::size_t>(groups.size(group) - 1)](panel, batch, blocks, sums);
}

#ifdef INFERNODE_TILES
template <bool kHasMinimum, const TilesOfGroup& kTiles>
constexpr auto kTileKernels = []<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
  return std::array{multiply_panel_by_tiles<kHasMinimum, kIndex + 1, kTiles>...};
}
(std::make_index_sequence<kTileRows>());
#endif

// What differs between weights in blocks of 32 and of 256: the layouts of the panel, of the batch
// and of a single batch row, in one or several blocks, and the routines for them. A panel has as
// many blocks as stay in the first-level cache while all batch rows are multiplied by it; an even
// number.
#ifdef INFERNODE_TILES
template <typename Format>
struct TileBlocks;
template <typename Format>
struct TileSuperBlocks;
#endif

template <typename Format>
struct Blocks : Format {
#ifdef INFERNODE_TILES
  using ByTiles = TileBlocks<Format>;
#endif
  using Rows = PanelRows<typename Format::Block>;
  static constexpr bool kByTiles = false;
  static constexpr bool kPacked = false;
  static constexpr std::int64_t kRowsTogether = 1;  // weight rows that no two threads divide
  static constexpr std::int64_t kBytes = sizeof(typename Format::Block) * kPanelRows;
  static const typename Format::Block* at(const typename Format::Block* weights, std::int64_t lda,
                                          std::int64_t row) {
    return weights + lda * row;
  }
  static Rows rows(const typename Format::Block* first, std::int64_t lda, int count) {
    return Rows(first, lda, count);
  }
  using Panel = PanelBlock;
  using Column = BatchBlock;
  using Alone = RowBatch<Format>;
  using Sums = PanelSums;
  static constexpr std::int64_t kPanelBlocks = 32;
  static constexpr std::int64_t kAloneBlocks = kChunk;
  static constexpr int kMostRowsAlone = kMostAlone<Format::kMost>;
  static constexpr int kColumns = kColumnsAtOnce<Format::kMost>;
  static constexpr auto interleaved = interleave<Format>;
  static constexpr auto column = batch_block<Format>;
  static constexpr auto multiplied_rows = multiply_rows<Format>;
  template <int kCount>
  static constexpr auto multiplied = multiply_panel<Format, kCount>;
  static void run(const Groups& groups, std::int64_t group, const Panel* panel, const Column* batch,
                  std::int64_t blocks, Sums* sums, const ResultLines&) {
    run_kernel<Blocks>(groups, group, panel, batch, blocks, sums);
  }
};

template <typename Format>
struct SuperBlocks : Format {
#ifdef INFERNODE_TILES
  using ByTiles = TileSuperBlocks<Format>;
#endif
  using Rows = PanelRows<typename Format::Block>;
  static constexpr bool kByTiles = false;
  static constexpr bool kPacked = false;
  static constexpr std::int64_t kRowsTogether = 1;  // weight rows that no two threads divide
  static constexpr std::int64_t kBytes = sizeof(typename Format::Block) * kPanelRows;
  static const typename Format::Block* at(const typename Format::Block* weights, std::int64_t lda,
                                          std::int64_t row) {
    return weights + lda * row;
  }
  static Rows rows(const typename Format::Block* first, std::int64_t lda, int count) {
    return Rows(first, lda, count);
  }
  using Batch = block_q8_K;
  using Panel = SuperPanel<Format>;
  using Column = SuperBatch<Format>;
  using Alone = SuperRow<Format>;
  using Sums = SuperSums;
  static constexpr std::int64_t kPanelBlocks = 4;
  static constexpr std::int64_t kAloneBlocks = 1;
  static constexpr int kMostRowsAlone = kMostAlone<Format::kMost>;
  static constexpr int kColumns = kColumnsAtOnce<Format::kMost>;
  static constexpr auto interleaved = interleave_super<Format>;
  static constexpr auto column = super_batch<Format>;
  static constexpr auto multiplied_rows = multiply_super_rows<Format>;
  template <int kCount>
  static constexpr auto multiplied = multiply_super_panel<Format, kCount>;
  static void run(const Groups& groups, std::int64_t group, const Panel* panel, const Column* batch,
                  std::int64_t blocks, Sums* sums, const ResultLines&) {
    run_kernel<SuperBlocks>(groups, group, panel, batch, blocks, sums);
  }
};

#ifdef INFERNODE_TILES
// From here on tiles are faster (docs/decisions/0079).
constexpr std::int64_t kLeastRowsForTiles = 9;

// The same by tiles of AMX, for many batch rows.
template <typename Format>
struct TileBlocks : Blocks<Format> {
  using typename Blocks<Format>::Panel;
  using typename Blocks<Format>::Column;
  static constexpr std::int64_t kPanelBlocks = 20;
  static constexpr int kMostRowsAlone = 0;
  static constexpr bool kByTiles = true;
  static constexpr int kColumns = kTileRows;
  static constexpr int kWidth = 32;  // of a tile of the batch
  static constexpr auto interleaved = interleave_signed<Format>;

  static void run(const Groups& groups, std::int64_t group, const Panel* panel, const Column* batch,
                  std::int64_t blocks, PanelSums* sums, const ResultLines& results) {
    constexpr bool kMinimum = Format::kHasMinimum;
    const auto index = static_cast<std::size_t>(groups.size(group) - 1);
    if (group < groups.larger)
      kTileKernels<kMinimum, kLargerGroup>[index](panel, batch, blocks, sums, results);
    else
      kTileKernels<kMinimum, kSmallerGroup>[index](panel, batch, blocks, sums, results);
  }
};

template <typename Format>
struct TileSuperBlocks : SuperBlocks<Format> {
  using Panel = TilePanel<Format>;
  using typename SuperBlocks<Format>::Column;
  static constexpr std::int64_t kPanelBlocks = 2;
  static constexpr int kMostRowsAlone = 0;
  static constexpr bool kByTiles = true;
  static constexpr int kColumns = kTileRows;
  static constexpr int kWidth = 64;
  static constexpr auto interleaved = interleave_scaled<Format>;

  static void run(const Groups& groups, std::int64_t group, const Panel* panel, const Column* batch,
                  std::int64_t blocks, SuperSums* sums, const ResultLines& results) {
    const int count = static_cast<int>(groups.size(group));
    if (group < groups.larger)
      multiply_super_panel_by_tiles<Format, kLargerGroup>(panel, batch, blocks, count, sums,
                                                          results);
    else
      multiply_super_panel_by_tiles<Format, kSmallerGroup>(panel, batch, blocks, count, sums,
                                                           results);
  }
};

// The same with weights in ggml's layout for AMX.
template <typename Format, typename Of, bool kSigned>
struct PackedOf : Of {
  using Block = PackedBlock<Format>;
  using Rows = PackedRows<Format>;
  static constexpr bool kPacked = true;
  static constexpr std::int64_t kRowsTogether = kPanelRows;
  static constexpr std::int64_t kBytes = sizeof(Block);
  static constexpr int kMostRowsAlone = 0;
  static constexpr auto interleaved = unpack_panel<Format, kSigned>;
  // `lda`: blocks of the rows of a panel together.
  static const Block* at(const Block* weights, std::int64_t lda, std::int64_t row) {
    return weights + lda * (row / kPanelRows);
  }
  static Rows rows(const Block* first, std::int64_t, int) { return {first}; }
};

template <typename Format>
struct PackedBlocks : PackedOf<Format, Blocks<Format>, false> {
  using ByTiles = PackedOf<Format, TileBlocks<Format>, true>;
};
#endif

}  // namespace infernode_panels
#endif
