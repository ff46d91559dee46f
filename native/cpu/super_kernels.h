// Products of panels of weights in blocks of 256: as panel_kernels.h, but exact within a block,
// whose parts have integer scales. A sum adds the blocks in order.
#pragma once

#include <type_traits>
#include <utility>

#include "panel_kernels.h"
#include "super_formats.h"

#ifdef INFERNODE_PANELS

namespace infernode_panels {

// One block of each row of a panel. values[p][i] contains the i-th four bytes of part p of every
// row.
template <typename Format>
struct alignas(64) SuperPanel {
  std::uint8_t values[kParts][8][64];
  std::int32_t scales[Format::kScales][kPanelRows];       // as store_scales() writes them
  std::int16_t minima[Format::kSums / 2][kPanelRows][2];  // the factors of pairs of sums
  float scale[kPanelRows];
  float minimum[kPanelRows];
};

// One block of a batch row. Its sums are negated: minima are subtracted.
template <typename Format>
struct alignas(64) SuperBatch {
  std::int8_t values[QK_K];
  std::int16_t sums[Format::kSums];
  float scale;
};

// Calls each(p) for every part, with p as a constant.
template <typename Each>
void for_parts(const Each& each) {
  [&]<int... kPart>(std::integer_sequence<int, kPart...>) {
    (each(std::integral_constant<int, kPart>()), ...);
  }
  (std::make_integer_sequence<int, kParts>());
}

// 16 bytes of each row of a panel: words[i] contains their i-th four bytes, row by row.
template <typename BytesAt>
void transpose_words(const BytesAt& at, Ints (&words)[4]) {
  Ints rows[4];  // [i]: the rows i, i + 4, i + 8, i + 12
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const auto row = [&](int index) {
      return _mm_loadu_si128(static_cast<const __m128i*>(at(index)));
    };
    rows[i] = four_rows(row(i), row(4 + i), row(8 + i), row(12 + i));
  }
  const Ints low = unpack_low_32(rows[0], rows[1]);
  const Ints high = unpack_high_32(rows[0], rows[1]);
  const Ints low_next = unpack_low_32(rows[2], rows[3]);
  const Ints high_next = unpack_high_32(rows[2], rows[3]);
  words[0] = unpack_low_64(low, low_next);
  words[1] = unpack_high_64(low, low_next);
  words[2] = unpack_low_64(high, high_next);
  words[3] = unpack_high_64(high, high_next);
}

// Scales and minima of a block of each row of a panel: six bits each, in twelve bytes that follow
// two f16 numbers. Bytes 0 to 3 contain the first four scales, bytes 4 to 7 the first four minima;
// of the others, bytes 8 to 11 contain the low four bits, and the upper two bits of the first eight
// bytes the rest.
template <typename Format>
void unpack_factors(const PanelRows<typename Format::Block>& panel, std::int64_t block,
                    SuperPanel<Format>& out) {
  Ints words[4];
  transpose_words([&](int row) { return static_cast<const void*>(&panel.rows[row][block]); },
                  words);
  store(out.scale, floats_of_low_halves(words[0]));
  store(out.minimum, floats_of_low_halves(right(words[0], 16)));
  const auto bits = [](Ints word, unsigned shift, int mask) {
    return both_of(right(word, shift), all_ints(mask));
  };
  const Ints scales[] = {bits(words[1], 0, 0x3f3f3f3f),
                         either_of(bits(words[3], 0, 0x0f0f0f0f), bits(words[1], 2, 0x30303030))};
  const Ints minima[] = {bits(words[2], 0, 0x3f3f3f3f),
                         either_of(bits(words[3], 4, 0x0f0f0f0f), bits(words[2], 2, 0x30303030))};
#pragma GCC unroll 8
  for (int part = 0; part < kParts; ++part)
    store_scales(out.scales[part],
                 bits(scales[part / 4], static_cast<unsigned>(part % 4 * 8), 0xff));
#pragma GCC unroll 4
  for (int pair = 0; pair < kParts / 2; ++pair) {
    const unsigned shift = static_cast<unsigned>(pair % 2 * 16);
    store(out.minima[pair],
          word_pairs(bits(minima[pair / 2], shift, 0xff), bits(minima[pair / 2], shift + 8, 0xff)));
  }
}

// For Q6_K: 16 signed scales, which are also the factors of the offset's sums.
template <>
inline void unpack_factors<Q6_K>(const PanelRows<block_q6_K>& panel, std::int64_t block,
                                 SuperPanel<Q6_K>& out) {
  Ints words[4];
  transpose_words([&](int row) { return static_cast<const void*>(panel.rows[row][block].scales); },
                  words);
#pragma GCC unroll 8
  for (int pair = 0; pair < Q6_K::kSums / 2; ++pair) {
    const auto scale = [&](int byte) {
      return signed_right(left(words[pair / 2], static_cast<unsigned>(24 - 8 * byte)), 24);
    };
    const Ints even = scale(pair % 2 * 2), odd = scale(pair % 2 * 2 + 1);
    store_scales(out.scales[2 * pair], even);
    store_scales(out.scales[2 * pair + 1], odd);
    store(out.minima[pair], word_pairs(even, odd));
  }
  const auto half = [&](int row) { return static_cast<short>(panel.rows[row][block].d); };
  store(out.scale,
        floats_of_halves(_mm256_setr_epi16(half(0), half(1), half(2), half(3), half(4), half(5),
                                           half(6), half(7), half(8), half(9), half(10), half(11),
                                           half(12), half(13), half(14), half(15))));
}

template <typename Format>
void interleave_super(const PanelRows<typename Format::Block>& panel, std::int64_t block,
                      SuperPanel<Format>& out) {
  for_parts([&](auto part) {
    interleave_bytes([&](int row) { return Format::template bytes<part>(panel.rows[row][block]); },
                     out.values[part]);
  });
  unpack_factors<Format>(panel, block, out);
}

// Adds one block's part to sums: the one place that determines rounding. `products` and `minima`
// are integers. For 16 sums, or for one.
inline __m128 multiply(__m128 a, __m128 b) { return _mm_mul_ss(a, b); }
inline __m128 multiply_add(__m128 a, __m128 b, __m128 c) { return _mm_fmadd_ss(a, b, c); }

template <typename Format, typename Register>
Register add_super_block(Register sum, Register products, Register minima, Register scale,
                         Register minimum, Register batch_scale) {
  sum = multiply_add(products, multiply(scale, batch_scale), sum);
  if constexpr (Format::kOffset == 0)
    sum = multiply_add(minima, multiply(minimum, batch_scale), sum);
  return sum;
}

// One block of a panel times the same block of kCount batch rows: exact integers.
template <typename Format, int kCount>
[[gnu::always_inline]] inline void add_parts(const SuperPanel<Format>& panel,
                                             const SuperBatch<Format>* batch,
                                             Ints (&totals)[kCount]) {
  constexpr int kEach = Format::kScales / kParts;  // scales per part
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column) totals[column] = zero_ints();
  for (int scale = 0; scale < Format::kScales; ++scale) {
    const int part = scale / kEach, first = scale % kEach * (8 / kEach);
    add_fours<Format::kMost, 8 / kEach>(
        panel.values[part] + first,
        [&](int column) { return BatchValues{batch[column].values + 32 * part}; }, first,
        load_ints(panel.scales[scale]), totals);
  }
}

// The product of one block's minima, or of its offset, with a batch row's sums.
template <typename Format>
Ints minima_of(const std::int16_t (&panel)[Format::kSums / 2][kPanelRows][2],
               const SuperBatch<Format>& batch) {
  Ints minima = zero_ints();
#pragma GCC unroll 8
  for (int pair = 0; pair < Format::kSums / 2; ++pair)
    minima =
        add_word_products(minima, load_ints(panel[pair]), all_ints(word_of(batch.sums + 2 * pair)));
  return minima;
}

struct alignas(64) SuperSums {
  float sums[kPanelRows];

  void finish(float* out, int rows) const { store_first(out, rows, load_floats(sums)); }
};

// Multiplies `blocks` blocks of a panel by the same blocks of kCount batch rows, and adds to the
// sums.
template <typename Format, int kCount>
void multiply_super_panel(const SuperPanel<Format>* panel, const SuperBatch<Format>* batch,
                          std::int64_t blocks, SuperSums* of) {
  for (std::int64_t block = 0; block < blocks; ++block, ++panel, batch += kCount) {
    Ints totals[kCount];
    add_parts<Format, kCount>(*panel, batch, totals);
    const Floats scale = load_floats(panel->scale);
    const Floats minimum = Format::kOffset == 0 ? load_floats(panel->minimum) : scale;
#pragma GCC unroll 8
    for (int column = 0; column < kCount; ++column) {
      const Ints minima = minima_of<Format>(panel->minima, batch[column]);
      if constexpr (Format::kOffset != 0)
        totals[column] = add(totals[column], multiply(minima, all_ints(Format::kOffset)));
      float* const sums = of[column].sums;
      store(sums,
            add_super_block<Format>(load_floats(sums), to_floats(totals[column]), to_floats(minima),
                                    scale, minimum, all_floats(batch[column].scale)));
    }
  }
}

// One block of a batch row in the kernels' layout.
template <typename Format>
SuperBatch<Format> super_batch(const block_q8_K& block) {
  SuperBatch<Format> made;
  std::memcpy(made.values, block.qs, sizeof made.values);
  constexpr int kEach = 2 * kParts / Format::kSums;  // ggml's sums of 16 values per sum here
  for (int i = 0; i < Format::kSums; ++i) {
    std::int32_t sum = 0;
    for (int j = 0; j < kEach; ++j) sum += block.bsums[kEach * i + j];
    made.sums[i] = static_cast<std::int16_t>(-sum);
  }
  made.scale = block.d;
  return made;
}

}  // namespace infernode_panels
#endif
