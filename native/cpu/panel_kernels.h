// Products of panels (16 rows of 8-bit weights, interleaved in groups of four) with 8-bit batch
// rows. Each lane holds one sum: of the even blocks in order, exact within a block, plus the same
// of the odd blocks. It depends neither on the rows computed with it, nor on the thread, nor on the
// instruction set.
#pragma once

#include "dots.h"
#include "panel_formats.h"

#ifdef INFERNODE_PANELS
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace infernode_panels {

constexpr int kPanelRows = 16;  // one lane of sums per row

// One block of each row of a panel: values[i] contains the i-th four bytes of every row.
struct alignas(64) PanelBlock {
  std::uint8_t values[8][64];
  float scales[kPanelRows];
  float minima[kPanelRows];
};

// For one block of a batch row.
struct BatchFactors {
  // initial value of the sum of products, which accounts for the weights' offset
  std::int32_t start;
  float scale;
  float total;  // scale times the sum of the values
};

struct alignas(16) BatchBlock {
  std::int8_t values[32];  // first, so that few rows of a tile lie in two cache lines
  BatchFactors factors;
};

// The values of a batch row in the layout that add_fours() reads.
struct BatchValues {
  const std::int8_t* bytes;
  std::int32_t four(int i) const { return word_of(bytes + 4 * i); }
};

// The weight rows of a panel; beyond the matrix's last row, that row is repeated.
template <typename Block>
struct PanelRows {
  const Block* rows[kPanelRows];

  PanelRows(const Block* first, std::int64_t distance, std::int64_t count) {
    for (std::int64_t row = 0; row < kPanelRows; ++row)
      rows[row] = first + distance * std::min(row, count - 1);
  }
};

// The first bytes of a block.
template <typename Number, typename Block>
Number begin_of(const Block& block) {
  Number number;
  std::memcpy(&number, &block, sizeof number);
  return number;
}

// Scales of 16 blocks, and minima if the format has them.
struct Factors {
  Floats scales, minima;
};

// For block(0) to block(kCount - 1); zero for the others.
template <typename Format, int kCount = 16, typename BlockAt>
Factors factors_of(const BlockAt& block) {
  if constexpr (Format::kHasMinimum) {
    const Ints pairs = ints_of([&](int i) { return i < kCount ? begin_of<int>(block(i)) : 0; });
    return {floats_of_low_halves(pairs), floats_of_low_halves(right(pairs, 16))};
  } else {
    const auto half = [&](int i) { return i < kCount ? begin_of<short>(block(i)) : short{0}; };
    return {floats_of_halves(_mm256_setr_epi16(half(0), half(1), half(2), half(3), half(4), half(5),
                                               half(6), half(7), half(8), half(9), half(10),
                                               half(11), half(12), half(13), half(14), half(15))),
            zero_floats()};
  }
}

// bytes(row) returns 32 values of that row; out[i] becomes the i-th four of every row.
template <typename BytesOf>
void interleave_bytes(const BytesOf& bytes, std::uint8_t (&out)[8][64]) {
  for_registers([&](auto first) {
    Register rows[8];
#pragma GCC unroll 8
    for (int row = 0; row < 8; ++row) rows[row] = from_halves<true>(bytes, first + row);
    transpose(rows);
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) store_register(out[i] + 4 * first, rows[i]);
  });
}

template <typename Format>
void interleave(const PanelRows<typename Format::Block>& panel, std::int64_t block,
                PanelBlock& out) {
  const auto at = [&](int row) -> const auto& { return panel.rows[row][block]; };
  interleave_bytes([&](int row) { return Format::bytes(at(row)); }, out.values);
  const Factors factors = factors_of<Format>(at);
  store(out.scales, factors.scales);
  if constexpr (Format::kHasMinimum) store(out.minima, factors.minima);
}

// Adds one block's part to a sum: the one place that determines rounding.
template <typename Format>
Floats add_block(Floats sum, Ints products, Floats scales, Floats minima,
                 const BatchFactors& batch) {
  const Floats both = multiply(scales, all_floats(batch.scale));
  const Floats floats = to_floats(products);
  if constexpr (!Format::kHasMinimum) return multiply_add(floats, both, sum);
  const Floats of_minima = multiply(minima, all_floats(batch.total));
  return add(sum, multiply_add(floats, both, of_minima));
}

// Multiplies a block of a panel by the same block of kCount batch rows, which are adjacent, and
// adds to the sums.
template <typename Format, int kCount>
[[gnu::always_inline]] inline void add_products(const PanelBlock& panel, const BatchBlock* batch,
                                                Floats (&sums)[kCount]) {
  Ints products[kCount];
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column)
    products[column] = all_ints(batch[column].factors.start);
  add_fours<Format::kMost, 8>(
      panel.values, [&](int column) { return BatchValues{batch[column].values}; }, 0, Unscaled(),
      products);
  const Floats scales = load_floats(panel.scales);
  const Floats minima = Format::kHasMinimum ? load_floats(panel.minima) : zero_floats();
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column)
    sums[column] =
        add_block<Format>(sums[column], products[column], scales, minima, batch[column].factors);
}

// Sums of a panel's rows with one batch row, of the even and the odd blocks so far.
struct alignas(64) PanelSums {
  float even[kPanelRows], odd[kPanelRows];

  // The results of the first `rows` rows.
  void finish(float* out, int rows) const {
    store_first(out, rows, add(load_floats(even), load_floats(odd)));
  }
};

// Multiplies `blocks` blocks of a panel by the same blocks of kCount batch rows, and adds to the
// sums.
template <typename Format, int kCount>
void multiply_panel(const PanelBlock* panel, const BatchBlock* batch, std::int64_t blocks,
                    PanelSums* sums) {
  Floats even[kCount], odd[kCount];
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column) {
    even[column] = load_floats(sums[column].even);
    odd[column] = load_floats(sums[column].odd);
  }
  for (; blocks >= 2; blocks -= 2, panel += 2, batch += 2 * kCount) {
    add_products<Format, kCount>(panel[0], batch, even);
    add_products<Format, kCount>(panel[1], batch + kCount, odd);
  }
  if (blocks > 0) add_products<Format, kCount>(*panel, batch, even);
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column) {
    store(sums[column].even, even[column]);
    store(sums[column].odd, odd[column]);
  }
}

// Where the results of a group go once its last blocks are added: a cache line per batch row, each
// far from the other. They are prefetched one at a time, because many at once are waited for.
struct ResultLines {
  const float* first;  // or null
  std::int64_t distance;

  void prefetch(std::int64_t row, std::int64_t count) const {
    if (first != nullptr && row < count)
      _mm_prefetch(reinterpret_cast<const char*>(first + distance * row), _MM_HINT_T0);
  }
};

// Prefetches the weights for a panel's block, of kBytes bytes, from `ahead` on.
template <std::int64_t kBytes>
void prefetch_blocks(const char* ahead, std::int64_t block) {
#pragma GCC unroll 9
  for (std::int64_t line = 0; line < kBytes; line += 64)
    _mm_prefetch(ahead + block * kBytes + line, _MM_HINT_T0);
}

template <typename Format>
BatchFactors batch_factors(const typename Format::Batch& block) {
  BatchFactors made;
  const __m256i fours =  // the ones are the unsigned factor
      _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), load_bytes(block.qs)),
                        _mm256_set1_epi16(1));
  __m128i sums = halves_added(fours);
  sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4e));
  sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0xb1));
  const std::int32_t sum = _mm_cvtsi128_si32(sums);
  made.scale = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(begin_of<short>(block) & 0xffff)));
  made.start = -Format::kOffset * sum;
  made.total = made.scale * static_cast<float>(sum);
  return made;
}

// One block of a batch row in the kernels' layout.
template <typename Format>
BatchBlock batch_block(const typename Format::Batch& block) {
  BatchBlock made{{}, batch_factors<Format>(block)};
  std::memcpy(made.values, block.qs, sizeof made.values);
  return made;
}

}  // namespace infernode_panels
#endif
