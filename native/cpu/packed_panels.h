// Weights in the layout that ggml brings them into at load for its AMX routines (pack_B() in
// amx/mmq.cpp): per block of 32 the bytes of 16 rows as a panel has them, then their scales. Panels
// are made of it at a fraction of what unpacking rows costs, so a few rows are faster by a quarter.
#pragma once

#include "amx_tiles.h"
#include "panel_rows.h"

#ifdef INFERNODE_TILES

namespace infernode_panels {

template <typename Format>
struct PackedBlock;

template <>
struct PackedBlock<Q8_0> {
  std::int8_t values[8][64];
  std::uint16_t scales[kPanelRows];
  std::int32_t sums[kPanelRows];
};

// The i-th four values are the low nibbles and the next four the high ones.
template <>
struct PackedBlock<Q4_0> {
  std::uint8_t pairs[4][64];
  std::uint16_t scales[kPanelRows];
};

template <>
struct PackedBlock<Q4_1> {
  std::uint8_t pairs[4][64];
  std::uint16_t scales[kPanelRows];
  std::uint16_t minima[kPanelRows];
};

static_assert(sizeof(PackedBlock<Q8_0>) == kPanelRows * (sizeof(block_q8_0) + 4));
static_assert(sizeof(PackedBlock<Q4_0>) == kPanelRows * sizeof(block_q4_0));
static_assert(sizeof(PackedBlock<Q4_1>) == kPanelRows * sizeof(block_q4_1));

// The blocks of a panel's rows.
template <typename Format>
struct PackedRows {
  const PackedBlock<Format>* blocks;
};

inline Floats unaligned_halves(const std::uint16_t* halves) {
  return floats_of_halves(load_bytes(halves));
}

// A panel of signed bytes for tiles, or of unsigned ones.
template <typename Format, bool kSigned>
void unpack_panel(const PackedRows<Format>& rows, std::int64_t block, PanelBlock& out) {
  const PackedBlock<Format>& from = rows.blocks[block];
  if constexpr (Format::kMost == 255) {
    const Register changed = all_bytes(kSigned ? 0 : static_cast<char>(Format::kOffset));
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i)
      store(out.values[i], _mm512_xor_si512(_mm512_loadu_si512(from.values[i]), changed));
  } else {
    const Register offset = all_bytes(kSigned ? static_cast<char>(Format::kOffset) : 0);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const Register pairs = _mm512_loadu_si512(from.pairs[i]);
      store(out.values[2 * i], _mm512_sub_epi8(low_nibbles(pairs), offset));
      store(out.values[2 * i + 1], _mm512_sub_epi8(high_nibbles(pairs), offset));
    }
  }
  store(out.scales, unaligned_halves(from.scales));
  if constexpr (Format::kHasMinimum) store(out.minima, unaligned_halves(from.minima));
}

// --- one batch row --------------------------------------------------------------
// Weights are multiplied as they are read, from kPanels panels at a time. Each sum equals that of
// multiply_panel() to the bit.

// Adds the products of four values, or of twice four in the low and the high nibbles, to the sums
// of each panel.
template <typename Format, int kPanels>
[[gnu::always_inline]] inline void add_packed_fours(const PackedBlock<Format>* const* blocks, int i,
                                                    const BatchBlock& batch,
                                                    Ints (&products)[kPanels]) {
  const auto four = [&](int at) { return all_ints(word_of(batch.values + 4 * at)); };
  if constexpr (Format::kMost == 255) {
    const Ints values = four(i);
#pragma GCC unroll 4
    for (int panel = 0; panel < kPanels; ++panel) {
      const Register bytes = _mm512_xor_si512(_mm512_loadu_si512(blocks[panel]->values[i]),
                                              all_bytes(static_cast<char>(Format::kOffset)));
      products[panel] = add_dots(products[panel], bytes, values);
    }
  } else {
    const Ints first = four(2 * i), second = four(2 * i + 1);
#pragma GCC unroll 4
    for (int panel = 0; panel < kPanels; ++panel) {
      const Register pairs = _mm512_loadu_si512(blocks[panel]->pairs[i]);
      products[panel] = add_dots(add_dots(products[panel], low_nibbles(pairs), first),
                                 high_nibbles(pairs), second);
    }
  }
}

template <typename Format, int kPanels>
[[gnu::always_inline]] inline void add_packed_block(const PackedBlock<Format>** blocks,
                                                    const BatchBlock& batch,
                                                    Floats (&sums)[kPanels]) {
  Ints products[kPanels];
#pragma GCC unroll 4
  for (int panel = 0; panel < kPanels; ++panel) {
    products[panel] = all_ints(batch.factors.start);
    prefetch_ahead(blocks[panel], 1);
  }
  constexpr int kLoads = Format::kMost == 255 ? 8 : 4;
#pragma GCC unroll 8
  for (int i = 0; i < kLoads; ++i) add_packed_fours<Format>(blocks, i, batch, products);
#pragma GCC unroll 4
  for (int panel = 0; panel < kPanels; ++panel) {
    const PackedBlock<Format>& from = *blocks[panel];
    Floats minima = zero_floats();
    if constexpr (Format::kHasMinimum) minima = unaligned_halves(from.minima);
    sums[panel] = add_block<Format>(sums[panel], products[panel], unaligned_halves(from.scales),
                                    minima, batch.factors);
    ++blocks[panel];
  }
}

template <typename Format, int kPanels>
void multiply_packed_panels(const PackedBlock<Format>* weights, const BatchBlock* batch,
                            std::int64_t blocks, float* out) {
  const PackedBlock<Format>* from[kPanels];
  Floats even[kPanels], odd[kPanels];
#pragma GCC unroll 4
  for (int panel = 0; panel < kPanels; ++panel) {
    from[panel] = weights + panel * blocks;
    even[panel] = odd[panel] = zero_floats();
  }
  std::int64_t block = 0;
  for (; block + 2 <= blocks; block += 2) {
    add_packed_block<Format>(from, batch[block], even);
    add_packed_block<Format>(from, batch[block + 1], odd);
  }
  if (block < blocks) add_packed_block<Format>(from, batch[block], even);
#pragma GCC unroll 4
  for (int panel = 0; panel < kPanels; ++panel)
    store_first(out + kPanelRows * panel, kPanelRows, add(even[panel], odd[panel]));
}

template <typename Format>
void multiply_packed_row(const PackedBlock<Format>* weights, const BatchBlock* batch,
                         std::int64_t blocks, std::int64_t panels, float* out) {
  constexpr int kTogether = 4;
  std::int64_t panel = 0;
  for (; panel + kTogether <= panels; panel += kTogether)
    multiply_packed_panels<Format, kTogether>(weights + panel * blocks, batch, blocks,
                                              out + kPanelRows * panel);
  for (; panel < panels; ++panel)
    multiply_packed_panels<Format, 1>(weights + panel * blocks, batch, blocks,
                                      out + kPanelRows * panel);
}

}  // namespace infernode_panels
#endif
