// Products of weights of 16 bits (F16, BF16) with batch rows of 32, without rounding either: a
// register of weights times the same values of a batch row. A sum has sixteen lanes; 256 values at
// a time are added to it, so that it is more exact than one chain, and an element's bits depend
// neither on the rows computed with it, nor on the thread, nor on the instruction set.
#pragma once

#include "panel_rows.h"

#ifdef INFERNODE_PANELS
#include <algorithm>
#include <cstdint>
#include <cstring>

namespace infernode_panels {

// How 16 bits become a float, exactly. A new type is one struct here.
struct F16 {
  static FloatRegister load(const std::uint16_t* from) { return floats_of_f16(from); }
};
struct BF16 {
  static FloatRegister load(const std::uint16_t* from) { return floats_of_bf16(from); }
};

constexpr int kLanes = 16;
constexpr int kLaneRegisters = kLanes / kFloatsEach;  // registers of sixteen lanes
constexpr std::int64_t kFloatBlock = 256;             // values that are added to a sum at a time

// Sixteen values of a batch row, or of weights.
struct alignas(64) SixteenFloats {
  float values[kLanes];
};

constexpr std::int64_t sixteens_of(std::int64_t width) { return (width + kLanes - 1) / kLanes; }

// The last values of a row, fewer than sixteen, and zeros.
struct LastHalves {
  alignas(32) std::uint16_t values[kLanes] = {};
  LastHalves(const std::uint16_t* from, std::int64_t count) {
    std::memcpy(values, from, static_cast<std::size_t>(count) * sizeof *from);
  }
};

// A block of sixteen weight rows as floats.
struct FloatPanel {
  SixteenFloats rows[kPanelRows][kFloatBlock / kLanes];
};

// The sums of a panel's rows with one batch row.
struct LaneSums {
  SixteenFloats rows[kPanelRows];

  // The results of the first `count` rows: the lanes of each are added.
  void finish(float* out, int count) const {
    alignas(64) float all[kPanelRows];
    for (int first = 0; first < kPanelRows; first += 8) {
      __m256 eights[8];
#pragma GCC unroll 8
      for (int row = 0; row < 8; ++row) {
        const float* const lanes = rows[first + row].values;
        eights[row] = _mm256_add_ps(_mm256_load_ps(lanes), _mm256_load_ps(lanes + 8));
      }
      const auto pairs = [](__m256 a, __m256 b) {
        return _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
      };
      const auto fours = [&](int row) {
        const __m256d a = _mm256_castps_pd(pairs(eights[row], eights[row + 1]));
        const __m256d b = _mm256_castps_pd(pairs(eights[row + 2], eights[row + 3]));
        return _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(a, b)),
                             _mm256_castpd_ps(_mm256_unpackhi_pd(a, b)));
      };
      const __m256 low = fours(0), high = fours(4);
      _mm256_store_ps(all + first, _mm256_add_ps(_mm256_permute2f128_ps(low, high, 0x20),
                                                 _mm256_permute2f128_ps(low, high, 0x31)));
    }
    store_first(out, count, load_floats(all));
  }
};

// Sixteen values of a weight row as floats.
template <typename Format>
void convert(const std::uint16_t* from, SixteenFloats& out) {
#pragma GCC unroll 2
  for (int part = 0; part < kLaneRegisters; ++part)
    store(out.values + kFloatsEach * part, Format::load(from + kFloatsEach * part));
}

// The block of sixteen weight rows that begins at value `first`; `ahead`: weights to prefetch.
template <typename Format>
void convert_block(const PanelRows<std::uint16_t>& rows, std::int64_t first, std::int64_t width,
                   const char* ahead, FloatPanel& out) {
  const std::int64_t count = std::min(kFloatBlock, width - first);
  ahead += first * kPanelRows * 2;
  for (int row = 0; row < kPanelRows; ++row, ahead += 2 * count) {
    const std::uint16_t* const from = rows.rows[row] + first;
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      if (i % (2 * kLanes) == 0) _mm_prefetch(ahead + 2 * i, _MM_HINT_T1);
      convert<Format>(from + i, out.rows[row][i / kLanes]);
    }
    if (i < count)
      convert<Format>(LastHalves(from + i, count - i).values, out.rows[row][i / kLanes]);
  }
}

// `columns` batch rows: sixteen values of each, then the next sixteen; zeros beyond the width.
inline void spread_floats(const float* row, std::int64_t distance, std::int64_t columns,
                          std::int64_t width, SixteenFloats* out) {
  for (std::int64_t column = 0; column < columns; ++column, row += distance) {
    SixteenFloats* to = out + column;
    std::int64_t i = 0;
    for (; i + kLanes <= width; i += kLanes, to += columns)
      std::memcpy(to->values, row + i, sizeof to->values);
    if (i == width) continue;
    *to = {};
    std::memcpy(to->values, row + i, static_cast<std::size_t>(width - i) * sizeof(float));
  }
}

// How many batch rows the registers allow at a time, and how many weight rows with them.
constexpr int kFloatColumns = kFloatsEach == 16 ? 6 : 3;
constexpr int kFloatRows = 4;

// Sums of kRows weight rows with kCount batch rows: one register of each, part `part` of the lanes.
template <int kRows, int kCount>
using FloatTile = FloatRegister[kRows][kCount];

template <int kRows, int kCount>
[[gnu::always_inline]] inline void clear(FloatTile<kRows, kCount>& own) {
#pragma GCC unroll 4
  for (auto& row : own)
#pragma GCC unroll 8
    for (FloatRegister& sum : row) sum = zero_float_register();
}

// Adds the products of sixteen values, of this part of them; load(i) returns those of weight row i.
template <int kRows, int kCount, typename Load>
[[gnu::always_inline]] inline void add_sixteen(FloatTile<kRows, kCount>& own, int part,
                                               const Load& load, const SixteenFloats* batch) {
  FloatRegister values[kCount];
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column)
    values[column] = load_float_register(batch[column].values + kFloatsEach * part);
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
    const FloatRegister weights = load(i);
#pragma GCC unroll 8
    for (int column = 0; column < kCount; ++column)
      own[i][column] = multiply_add(weights, values[column], own[i][column]);
  }
}

// Adds a tile to the sums of weight rows from `row` on; `starts`: there are no sums yet.
template <int kRows, int kCount>
[[gnu::always_inline]] inline void add_tile(const FloatTile<kRows, kCount>& own, int part, int row,
                                            bool starts, LaneSums* sums) {
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column)
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      float* const sum = sums[column].rows[row + i].values + kFloatsEach * part;
      if (starts)
        store(sum, own[i][column]);
      else
        store(sum, add(load_float_register(sum), own[i][column]));
    }
}

// Adds to the sums the products of a panel with kCount batch rows.
template <int kCount>
void multiply_float_panel(const FloatPanel& panel, const SixteenFloats* batch, int sixteens,
                          bool starts, LaneSums* sums) {
  for (int row = 0; row < kPanelRows; row += kFloatRows) {
    for (int part = 0; part < kLaneRegisters; ++part) {
      FloatTile<kFloatRows, kCount> own;
      clear<kFloatRows, kCount>(own);
      for (int at = 0; at < sixteens; ++at) {
        const auto load = [&](int i) {
          return load_float_register(panel.rows[row + i][at].values + kFloatsEach * part);
        };
        add_sixteen<kFloatRows, kCount>(own, part, load, batch + at * kCount);
      }
      add_tile<kFloatRows, kCount>(own, part, row, starts, sums);
    }
  }
}

// Few batch rows are multiplied without a panel: so many at a time, each weight is converted as it
// is read.
constexpr int kFewColumns = kFloatsEach == 16 ? 8 : 3;
constexpr int kFewRows = kFloatsEach == 16 ? 4 : 8;  // is faster so wherever they are

// The sums of sixteen weight rows, whose bytes are `between_rows` apart, with kCount batch rows.
template <typename Format, int kCount>
void multiply_float_few(const PanelRows<std::uint16_t>& rows, const SixteenFloats* batch,
                        std::int64_t width, std::int64_t between_rows, LaneSums* sums) {
  constexpr int kRows = kCount <= kFloatColumns ? kFloatRows : 2;
  for (int row = 0; row < kPanelRows; row += kRows) {
    const SixteenFloats* block = batch;
    for (std::int64_t first = 0; first < width; first += kFloatBlock) {
      const std::int64_t end = std::min(first + kFloatBlock, width);
      for (int part = 0; part < kLaneRegisters; ++part) {
        FloatTile<kRows, kCount> own;
        clear<kRows, kCount>(own);
        const SixteenFloats* values = block;
        std::int64_t at = first;
        for (; at + kLanes <= end; at += kLanes, values += kCount) {
          const auto load = [&](int i) {
            const std::uint16_t* const from = rows.rows[row + i] + at;
            // the same place of the next rows
            if (part == 0)
              _mm_prefetch(reinterpret_cast<const char*>(from) + kRows * between_rows, _MM_HINT_T1);
            return Format::load(from + kFloatsEach * part);
          };
          add_sixteen<kRows, kCount>(own, part, load, values);
        }
        if (at < end) {
          SixteenFloats last[kRows];
          for (int i = 0; i < kRows; ++i)
            convert<Format>(LastHalves(rows.rows[row + i] + at, end - at).values, last[i]);
          const auto load = [&](int i) {
            return load_float_register(last[i].values + kFloatsEach * part);
          };
          add_sixteen<kRows, kCount>(own, part, load, values);
        }
        add_tile<kRows, kCount>(own, part, row, first == 0, sums);
      }
      block += sixteens_of(end - first) * kCount;
    }
  }
}

// One batch row times sixteen weight rows, which are read one after another: see panel_rows.h.
template <typename Format>
void multiply_float_rows(const PanelRows<std::uint16_t>& rows, const SixteenFloats* batch,
                         std::int64_t width, LaneSums& sums) {
  for (int row = 0; row < kPanelRows; ++row) {
    const std::uint16_t* const weights = rows.rows[row];
    FloatRegister all[kLaneRegisters];
#pragma GCC unroll 2
    for (FloatRegister& part : all) part = zero_float_register();
    for (std::int64_t first = 0; first < width; first += kFloatBlock) {
      const std::int64_t count = std::min(kFloatBlock, width - first);
      const SixteenFloats* values = batch + first / kLanes;
      FloatRegister own[kLaneRegisters];
#pragma GCC unroll 2
      for (FloatRegister& part : own) part = zero_float_register();
      const auto add_sixteen = [&](const std::uint16_t* from) {
#pragma GCC unroll 2
        for (int part = 0; part < kLaneRegisters; ++part)
          own[part] =
              multiply_add(Format::load(from + kFloatsEach * part),
                           load_float_register(values->values + kFloatsEach * part), own[part]);
        ++values;
      };
      std::int64_t i = 0;
      for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
        prefetch_ahead(weights + first + i, 2 * kLanes);
        add_sixteen(weights + first + i);
        add_sixteen(weights + first + i + kLanes);
      }
      for (; i + kLanes <= count; i += kLanes) add_sixteen(weights + first + i);
      if (i < count) add_sixteen(LastHalves(weights + first + i, count - i).values);
#pragma GCC unroll 2
      for (int part = 0; part < kLaneRegisters; ++part)
        all[part] = first == 0 ? own[part] : add(all[part], own[part]);
    }
#pragma GCC unroll 2
    for (int part = 0; part < kLaneRegisters; ++part)
      store(sums.rows[row].values + kFloatsEach * part, all[part]);
  }
}

}  // namespace infernode_panels
#endif
