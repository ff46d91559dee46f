// Products of a panel's weight rows with a single batch row, where reading weights is the limit.
// Weight rows are read one after another, the one stream that hardware prefetchers follow best, and
// nothing is written meanwhile. Each sum equals that of multiply_panel() to the bit.
#pragma once

#include "panel_kernels.h"

#ifdef INFERNODE_PANELS
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace infernode_panels {

constexpr int kChunk = 16;  // blocks whose sums fill sixteen lanes
constexpr int kSixteens = kRegisterBytes / 16;

// Prefetches what follows `blocks` blocks of a weight row by some distance: the rows of a matrix
// are adjacent. Only Intel's processors with AMX were measured to need it.
template <typename Block>
void prefetch_ahead([[maybe_unused]] const Block* weights, [[maybe_unused]] int blocks) {
#ifdef INFERNODE_TILES
  constexpr std::int64_t kAhead = 2048;
  const auto* const begin = reinterpret_cast<const char*>(weights) + kAhead;
  const auto bytes = static_cast<std::int64_t>(sizeof(Block)) * blocks;
  for (std::int64_t line = 0; line < bytes; line += 64) _mm_prefetch(begin + line, _MM_HINT_T0);
#endif
}

// Scales of kChunk blocks that are adjacent, and minima if the format has them.
template <typename Format>
Factors factors_of_chunk(const typename Format::Block* weights) {
#ifdef INFERNODE_TILES  // gathering is fast there
  constexpr int kBytes = sizeof(typename Format::Block);
  const Ints places = multiply(ints_of([](int i) { return i; }), all_ints(kBytes));
  const Ints pairs = _mm512_i32gather_epi32(places, weights, 1);
  return {floats_of_low_halves(pairs),
          Format::kHasMinimum ? floats_of_low_halves(right(pairs, 16)) : zero_floats()};
#else
  return factors_of<Format>([&](int i) -> const auto& { return weights[i]; });
#endif
}

// A chunk of a batch row that is multiplied alone; blocks beyond the row's last are zeros. For
// formats with two values per byte, a register contains the first halves of some blocks or their
// second halves; for others whole blocks, and the blocks of a register are 8 apart.
template <typename Format>
struct alignas(64) RowBatch {
  std::int8_t values[kChunk * 32];
  std::int32_t starts[kChunk];  // see BatchBlock
  float scales[kChunk];
  float totals[kChunk];

  void set(int block, const typename Format::Batch& from) {
    if constexpr (Format::kPairs) {
      for (int half = 0; half < 2; ++half)
        std::memcpy(
            values + (block / kSixteens * 2 + half) * kRegisterBytes + block % kSixteens * 16,
            from.qs + 16 * half, 16);
    } else if constexpr (kSixteens == 4) {
      std::memcpy(values + block % 8 * 64 + block / 8 * 32, from.qs, 32);
    } else {
      std::memcpy(values + block * 32, from.qs, 32);
    }
    const BatchFactors factors = batch_factors<Format>(from);
    starts[block] = factors.start;
    scales[block] = factors.scale;
    totals[block] = factors.total;
  }
  Register load(int i) const { return load_register(values + i * kRegisterBytes); }
};

// The sums of block(i) to block(kBlocks - 1) of a chunk of one weight row with the batch row's, for
// every i from kFirst on that shares a register; 0 for the others.
template <typename Format, int kFirst, int kBlocks, typename BlockAt>
Register products_from(const BlockAt& block, const RowBatch<Format>& batch) {
  constexpr int kCount = Format::kPairs ? 4 : 8;  // registers
  Register lanes[kCount];
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) {
    const int first = kFirst + (Format::kPairs ? kSixteens * i : i);
    lanes[i] = zero_register();
    if (first >= kBlocks) continue;
    if constexpr (Format::kPairs) {
      Register low, high;
      Format::read_some(
          [&](int at) -> const auto& { return block(first + at); }, low, high);
      const int place = first / kSixteens * 2;
      lanes[i] = dots_of(low, batch.load(place), high, batch.load(place + 1));
    } else {
      const auto bytes = [&](int at) { return Format::bytes(block(at)); };
      lanes[i] = dots_of(from_halves<(kBlocks > 8)>(bytes, first), batch.load(first));
    }
  }
  if constexpr (Format::kPairs) {
    return sums_of_small_lanes(lanes);
  } else {
    return sums_of_lanes(lanes);
  }
}

template <typename Format, int kBlocks, typename BlockAt>
Ints products_of(const BlockAt& block, const RowBatch<Format>& batch) {
  return ints_of_registers([&](auto first) {
    if constexpr (first >= kBlocks) return zero_register();
    return products_from<Format, first, kBlocks>(block, batch);
  });
}

// Adds blocks 4 kLane to 4 kLane + 3 to the sums of the even and of the odd blocks, as add_block()
// does: fma(products, scales, sum), or sum + terms if the format has minima.
template <typename Format, int kLane>
__m128 add_lane(__m128 sums, Floats products, Floats scales, Floats terms) {
  const auto lane = [](Floats all) { return quarter<kLane>(all); };
  const auto next = [](__m128 pairs) { return _mm_movehl_ps(pairs, pairs); };
  if constexpr (Format::kHasMinimum) {
    const __m128 four = lane(terms);
    return _mm_add_ps(_mm_add_ps(sums, four), next(four));
  } else {
    const __m128 of[] = {lane(products), lane(scales)};
    return _mm_fmadd_ps(next(of[0]), next(of[1]), _mm_fmadd_ps(of[0], of[1], sums));
  }
}

// Adds the first kBlocks blocks of a chunk to the sums. Blocks beyond `count` count as zero,
// whatever their scale.
template <typename Format, int kBlocks>
__m128 add_blocks(__m128 sums, Ints products_alone, const Factors& factors, int count,
                  const RowBatch<Format>& batch) {
  const auto product = [&](Floats a, Floats b) {
    return kBlocks == kChunk && count == kChunk ? multiply(a, b) : multiply_first(count, a, b);
  };
  const Floats products = to_floats(add(products_alone, load_ints(batch.starts)));
  const Floats scales = product(factors.scales, load_floats(batch.scales));
  Floats terms = zero_floats();
  if constexpr (Format::kHasMinimum)
    terms = multiply_add(products, scales, product(factors.minima, load_floats(batch.totals)));
  sums = add_lane<Format, 0>(sums, products, scales, terms);
  if constexpr (kBlocks > 4) sums = add_lane<Format, 1>(sums, products, scales, terms);
  if constexpr (kBlocks > 8) sums = add_lane<Format, 2>(sums, products, scales, terms);
  if constexpr (kBlocks > 12) sums = add_lane<Format, 3>(sums, products, scales, terms);
  return sums;
}

// The same for `count` blocks, at most kBlocks; beyond them it reads the last one again.
template <typename Format, int kBlocks>
__m128 add_rest(__m128 sums, const typename Format::Block* weights, const RowBatch<Format>& batch,
                int count) {
  const auto block = [&](int i) -> const auto& { return weights[std::min(i, count - 1)]; };
  return add_blocks<Format, kBlocks>(sums, products_of<Format, kBlocks>(block, batch),
                                     factors_of<Format, kBlocks>(block), count, batch);
}

// The sums of one weight row, of the even and of the odd blocks.
template <typename Format>
__m128 multiply_row(const typename Format::Block* weights, const RowBatch<Format>* batch,
                    std::int64_t blocks) {
  __m128 sums = _mm_setzero_ps();
  for (; blocks >= kChunk; blocks -= kChunk, weights += kChunk, ++batch) {
    const auto block = [&](int i) -> const auto& { return weights[i]; };
    prefetch_ahead(weights, kChunk);
    const Ints products = products_of<Format, kChunk>(block, *batch);
    sums = add_blocks<Format, kChunk>(sums, products, factors_of_chunk<Format>(weights), kChunk,
                                      *batch);
  }
  const int count = static_cast<int>(blocks);
  if (count == 0) return sums;
  if (count <= 4) return add_rest<Format, 4>(sums, weights, *batch, count);
  if (count <= 8) return add_rest<Format, 8>(sums, weights, *batch, count);
  if (count <= 12) return add_rest<Format, 12>(sums, weights, *batch, count);
  return add_rest<Format, kChunk>(sums, weights, *batch, count);
}

// A panel of `rows` rows times one batch row.
template <typename Format>
void multiply_rows(const PanelRows<typename Format::Block>& panel, const RowBatch<Format>* batch,
                   std::int64_t blocks, float* out, int rows) {
  alignas(64) float all[kPanelRows];
  for (int first = 0; first < kPanelRows; first += 4) {
    __m128 sums[4];
    for (int row = 0; row < 4; ++row)
      sums[row] = multiply_row<Format>(panel.rows[first + row], batch, blocks);
    _MM_TRANSPOSE4_PS(sums[0], sums[1], sums[2], sums[3]);
    _mm_store_ps(all + first, _mm_add_ps(sums[0], sums[1]));
  }
  store_first(out, rows, load_floats(all));
}

}  // namespace infernode_panels
#endif
