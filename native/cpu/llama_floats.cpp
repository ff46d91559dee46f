// Products of F16 and BF16 weights in llama.cpp's CPU backend. ggml rounds the batch to the
// weights' type first and converts both again for each product (its AMX routine for F16 does not
// round, but converts); a row's bits depend on the rows beside it. Here the batch is not rounded.
// ggml asks ggml_cpu_extra_compute_forward() before it computes an operation; that function is
// renamed, and this file defines the original name (cmake/InfernodeCpuKernels.cmake,
// docs/decisions/0080). Any thread of a pass, each for its own rows.
#include "llama_floats.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "ggml-cpu-impl.h"
#include "ggml.h"
#include "traits.h"

#ifdef INFERNODE_F16_PRODUCTS
#include "amx_floats.h"
#include "float_kernels.h"
#include "rooms.h"
#include "turns.h"
#endif

// The declaration in upstream's header is renamed; this file defines the original name.
static_assert(std::is_same_v<decltype(ggml_cpu_extra_compute_forward),
                             bool(ggml_compute_params*, ggml_tensor*)>);
extern "C" decltype(ggml_cpu_extra_compute_forward) infernode_upstream_extra_compute_forward;

#ifdef INFERNODE_F16_PRODUCTS
namespace infernode_floats {

using namespace infernode_panels;
using infernode_turns::Turn;

namespace {

// of batch rows at a time: they stay in the second-level cache
constexpr std::int64_t kBatchBytes = 640 << 10;

constexpr std::int64_t kRowBytes = 2 * kPanelRows;  // of a panel's weights at one place of the rows

struct Product {
  const std::uint16_t* a;
  const float* b;
  float* c;
  std::int64_t lda, ldb, ldc;  // row strides, in elements
  std::int64_t m, n, width;    // weight rows, batch rows, elements of a row
  bool counted;                // see share_out()

  const std::uint16_t* weights(std::int64_t row) const { return a + lda * std::min(row, m - 1); }
  PanelRows<std::uint16_t> panel(std::int64_t row, std::int64_t end) const {
    return {weights(row), lda, std::min<std::int64_t>(kPanelRows, end - row)};
  }
  // What this thread reads after the panels before `row`.
  const char* after(std::int64_t row, const Turn& turn) const {
    return reinterpret_cast<const char*>(weights(row < turn.to ? row : turn.to + turn.leap));
  }
};

std::int64_t columns_at_a_time(std::int64_t bytes, std::int64_t group) {
  return std::max<std::int64_t>(kBatchBytes / bytes / group, 1) * group;
}

// Batch rows whose sums, of a kilobyte each, stay near.
constexpr std::int64_t kMostColumns = 96;

// --- by lanes of floats -------------------------------------------------------------

struct LanesWorkspace {
  Room<SixteenFloats> batch;
  Room<LaneSums> sums;
  Room<FloatPanel> panel;

  static LanesWorkspace& own() {
    thread_local LanesWorkspace one;
    return one;
  }
};

// Whether weights are multiplied as they are read: batch rows that stay in the first-level cache,
// or too few to repay a panel.
bool is_few(const Product& of) {
  constexpr std::int64_t kNearFloats = 8192;
  return of.n <= kFewRows || (of.n <= 8 && of.n * of.width <= kNearFloats);
}

// [i]: the routine for i + 1 batch rows.
constexpr auto kFloatKernels = []<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
  return std::array{multiply_float_panel<kIndex + 1>...};
}
(std::make_index_sequence<kFloatColumns>());

template <typename Format>
constexpr auto kFewKernels = []<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
  return std::array{multiply_float_few<Format, kIndex + 1>...};
}
(std::make_index_sequence<kFewColumns>());

template <typename Format>
void compute_turn(const Product& of, const Turn& turn, const Groups& groups, LanesWorkspace& own) {
  const SixteenFloats* const batch = own.batch.items.get();
  LaneSums* const sums = own.sums.hold(turn.columns);
  FloatPanel& panel = *own.panel.hold(1);
  for (std::int64_t i = turn.from; i < turn.to; i += kPanelRows) {
    const auto rows = of.panel(i, turn.to);
    const int count = static_cast<int>(std::min<std::int64_t>(kPanelRows, turn.to - i));
    float* const out = of.c + of.ldc * turn.j + i;
    if (of.n == 1) {
      multiply_float_rows<Format>(rows, batch, of.width, *sums);
      sums->finish(out, count);
      continue;
    }
    const char* const ahead = of.after(i + kPanelRows, turn);
    if (is_few(of)) {
      for (std::int64_t group = 0; group < groups.count; ++group) {
        const std::int64_t begin = groups.begin(group);
        kFewKernels<Format>[static_cast<std::size_t>(groups.size(group) - 1)](
            rows, batch + begin * sixteens_of(of.width), of.width, 2 * of.lda, sums + begin);
      }
      for (std::int64_t column = 0; column < of.n; ++column)
        sums[column].finish(out + of.ldc * column, count);
      continue;
    }
    for (std::int64_t first = 0; first < of.width; first += kFloatBlock) {
      const std::int64_t sixteens = sixteens_of(std::min(kFloatBlock, of.width - first));
      convert_block<Format>(rows, first, of.width, ahead, panel);
      for (std::int64_t group = 0; group < groups.count; ++group) {
        const std::int64_t begin = groups.begin(group), size = groups.size(group);
        kFloatKernels[static_cast<std::size_t>(size - 1)](
            panel, batch + begin * sixteens_of(of.width) + first / kLanes * size,
            static_cast<int>(sixteens), first == 0, sums + begin);
      }
    }
    for (std::int64_t column = 0; column < turn.columns; ++column)
      sums[column].finish(out + of.ldc * column, count);
  }
}

template <typename Format>
void compute_by_lanes(const ggml_compute_params& params, const Product& of) {
  LanesWorkspace& own = LanesWorkspace::own();
  const bool few = is_few(of);
  const std::int64_t sixteens = sixteens_of(of.width);
  const std::int64_t most =
      few ? of.n
          : std::min({of.n, kMostColumns,
                      columns_at_a_time(sixteens * static_cast<std::int64_t>(sizeof(SixteenFloats)),
                                        kFloatColumns)});
  SixteenFloats* const batch = own.batch.hold(most * sixteens);
  std::int64_t held = -1;  // batch rows from this one on are in `batch`
  infernode_turns::share_out(params, of.m, of.n, most, of.counted, [&](const Turn& turn) {
    const Groups groups(turn.columns, few ? kFewColumns : kFloatColumns);
    for (std::int64_t group = 0; held != turn.j && group < groups.count; ++group) {
      const std::int64_t begin = groups.begin(group);
      spread_floats(of.b + of.ldb * (turn.j + begin), of.ldb, groups.size(group), of.width,
                    batch + begin * sixteens);
    }
    held = turn.j;
    compute_turn<Format>(of, turn, groups, own);
  });
}

// --- by tiles -----------------------------------------------------------------------

#ifdef INFERNODE_TILES
struct TilesWorkspace {
  Room<std::uint32_t> batch;
  Room<GroupSums> sums;
  Room<PackedTiles> panels;

  static TilesWorkspace& own() {
    thread_local TilesWorkspace one;
    return one;
  }
};

// Groups of equal size; the last one may have rows of zeros at its end.
struct EqualGroups {
  std::int64_t columns, count, each;

  explicit EqualGroups(std::int64_t all)
      : columns(all),
        count((all + kTileColumns - 1) / kTileColumns),
        each((all + count - 1) / count) {}
  std::int64_t size(std::int64_t group) const { return std::min(each, columns - group * each); }
};

// kPanels panels of weights times the batch rows of a turn.
template <int kPanels>
void compute_panels(const Product& of, const Turn& turn, std::int64_t i, const EqualGroups& groups,
                    TilesWorkspace& own) {
  const std::int64_t tiles = tiles_of(of.width);
  const std::uint32_t* const batch = own.batch.items.get();
  GroupSums* const sums = own.sums.hold(groups.count);
  const char* const ahead = of.after(i + kPanels * kPanelRows, turn);
  const bool whole = i + kPanels * kPanelRows <= turn.to && of.width % kTileValues == 0;
  if (groups.count == 1 && whole) {
    const auto at = [&](int panel) {
      return WeightTiles{reinterpret_cast<const char*>(of.weights(i + kPanelRows * panel)),
                         2 * of.lda, 2 * kTileValues};
    };
    multiply_bf16<kPanels>({at(0), at(kPanels - 1)}, batch, tiles, groups.each, true, ahead, *sums);
  } else {
    PackedTiles* const packed = own.panels.hold(2);
    const auto at = [&](int panel) {
      return WeightTiles{reinterpret_cast<const char*>(packed + panel), 2 * kTileValues,
                         static_cast<std::int64_t>(sizeof packed->tiles[0])};
    };
    for (std::int64_t first = 0; first < tiles; first += kPackedTiles) {
      const std::int64_t some = std::min(kPackedTiles, tiles - first);
      for (int panel = 0; panel < kPanels; ++panel)
        pack_tiles(of.panel(i + kPanelRows * panel, turn.to), first * kTileValues, of.width,
                   ahead + panel * of.width * kRowBytes, packed[panel]);
      for (std::int64_t group = 0; group < groups.count; ++group) {
        multiply_bf16<kPanels>({at(0), at(kPanels - 1)},
                               batch + (group * tiles + first) * kTileValues * groups.each, some,
                               groups.each, first == 0, nullptr, sums[group]);
      }
    }
  }
  for (std::int64_t group = 0; group < groups.count; ++group)
    for (int panel = 0; panel < kPanels; ++panel) {
      const std::int64_t row = i + kPanelRows * panel;
      sums[group].finish(panel, of.c + of.ldc * (turn.j + group * groups.each) + row, of.ldc,
                         static_cast<int>(std::min<std::int64_t>(kPanelRows, turn.to - row)),
                         groups.size(group));
    }
}

void compute_by_tiles(const ggml_compute_params& params, const Product& of) {
  const TileShapesGuard guard;
  TilesWorkspace& own = TilesWorkspace::own();
  const std::int64_t tiles = tiles_of(of.width);
  const std::int64_t most =
      std::min(of.n, columns_at_a_time(tiles * kTileValues * 4, kTileColumns));
  std::uint32_t* const batch =
      own.batch.hold((most + kTileColumns - 1) / kTileColumns * kTileColumns * tiles * kTileValues);
  std::int64_t held = -1;  // batch rows from this one on are in `batch`
  infernode_turns::share_out(params, of.m, of.n, most, of.counted, [&](const Turn& turn) {
    const EqualGroups groups(turn.columns);
    if (held != turn.j) {
      for (std::int64_t group = 0; group < groups.count; ++group)
        spread_bf16(of.b + of.ldb * (turn.j + group * groups.each), of.ldb, groups.size(group),
                    groups.each, of.width, batch + group * tiles * kTileValues * groups.each);
      bf16_shapes(static_cast<int>(groups.each)).load();
    }
    held = turn.j;
    std::int64_t i = turn.from;
    for (; i + kPanelRows < turn.to; i += 2 * kPanelRows)
      compute_panels<2>(of, turn, i, groups, own);
    if (i < turn.to) compute_panels<1>(of, turn, i, groups, own);
  });
}
#endif

// --- operations ---------------------------------------------------------------------

void compute(const ggml_compute_params& params, int type, const Product& of) {
#ifdef INFERNODE_TILES
  if (type == GGML_TYPE_BF16 && may_use_tiles() && has_bf16_tiles())
    return compute_by_tiles(params, of);
#endif
  if (type == GGML_TYPE_F16) return compute_by_lanes<F16>(params, of);
  compute_by_lanes<BF16>(params, of);
}

template <typename Item>
Item* at(const ggml_tensor& tensor, std::int64_t i2, std::int64_t i3) {
  return reinterpret_cast<Item*>(static_cast<char*>(tensor.data) +
                                 static_cast<std::size_t>(i2) * tensor.nb[2] +
                                 static_cast<std::size_t>(i3) * tensor.nb[3]);
}

std::int64_t row_stride(const ggml_tensor& tensor) {
  return static_cast<std::int64_t>(tensor.nb[1] / tensor.nb[0]);
}

// Whether all rows are at the same distance.
bool is_even(const ggml_tensor& tensor) {
  const auto follows = [&](int dimension) {
    return tensor.ne[dimension] == 1 ||
           tensor.nb[dimension] ==
               static_cast<std::size_t>(tensor.ne[dimension - 1]) * tensor.nb[dimension - 1];
  };
  return follows(2) && follows(3);
}

// False: another operation; nothing was done.
bool multiply(const ggml_compute_params& params, const ggml_tensor& product) {
  if (product.op != GGML_OP_MUL_MAT || params.use_ref) return false;
  const ggml_tensor& weights = *product.src[0];
  const ggml_tensor& input = *product.src[1];
  if (!computes(weights.type) || weights.ne[2] * weights.ne[3] != 1 ||
      input.type != GGML_TYPE_F32 || product.op_params[1] != GGML_HINT_NONE ||
      weights.nb[0] != sizeof(std::uint16_t) || input.nb[0] != sizeof(float))
    return false;
  if (params.ith == 0) ggml_threadpool_chunk_set(params.threadpool, params.nth);
  ggml_barrier(params.threadpool);
  Product of{at<const std::uint16_t>(weights, 0, 0),
             at<const float>(input, 0, 0),
             at<float>(product, 0, 0),
             row_stride(weights),
             row_stride(input),
             row_stride(product),
             weights.ne[1],
             ggml_nrows(&input),
             weights.ne[0],
             true};
  if (is_even(input) && is_even(product)) {
    compute(params, weights.type, of);
    return true;
  }
  of.n = input.ne[1];
  for (std::int64_t i3 = 0; i3 < input.ne[3]; ++i3)
    for (std::int64_t i2 = 0; i2 < input.ne[2]; ++i2) {
      of.b = at<const float>(input, i2, i3);
      of.c = at<float>(product, i2, i3);
      compute(params, weights.type, of);
      of.counted = false;
    }
  return true;
}

}  // namespace

}  // namespace infernode_floats
#endif

bool infernode_floats::computes([[maybe_unused]] int type) {
#ifdef INFERNODE_F16_PRODUCTS
  if (type == GGML_TYPE_F16) return true;
#endif
#ifdef INFERNODE_BF16_PRODUCTS
  if (type == GGML_TYPE_BF16) return true;
#endif
  return false;
}

extern "C" bool ggml_cpu_extra_compute_forward(ggml_compute_params* params, ggml_tensor* op) {
#ifdef INFERNODE_F16_PRODUCTS
  if (infernode_floats::multiply(*params, *op)) return true;
#endif
  return infernode_upstream_extra_compute_forward(params, op);
}
