#include "llama_panels.h"

#ifdef INFERNODE_PANELS
#include <algorithm>

#include "ggml-cpu-impl.h"
#include "ggml.h"
#include "panel_kinds.h"
#include "turns.h"

namespace infernode_panels {

namespace {

using infernode_turns::Turn;
static_assert(infernode_turns::kWeightRows == kPanelRows);

// of batch rows at a time: they stay in the second-level cache
constexpr std::int64_t kBatchBytes = 640 << 10;

struct Sizes {
  std::int64_t lda, ldb, ldc;  // row strides, in blocks and floats
  std::int64_t m, n, k;        // weight rows, batch rows, blocks
};

template <typename Kind>
struct Product : Sizes {
  const typename Kind::Block* a;
  const typename Kind::Batch* b;
  float* c;

  Product(const Sizes& sizes, const void* weights, const void* batch, float* out)
      : Sizes(sizes),
        a(static_cast<const typename Kind::Block*>(weights)),
        b(static_cast<const typename Kind::Batch*>(batch)),
        c(out) {}
};

// One thread's buffers, kept between products.
template <typename Kind>
struct Workspace {
  Room<typename Kind::Panel> panel;
  Room<typename Kind::Column> batch;
  Room<typename Kind::Alone> alone;
  Room<typename Kind::Sums> sums;

  static Workspace& own() {
    thread_local Workspace one;
    return one;
  }
};

template <typename Kind>
void spread(const Product<Kind>& of, std::int64_t j, const Groups& groups,
            typename Kind::Column* out) {
  for (std::int64_t group = 0; group < groups.count; ++group) {
    const std::int64_t begin = groups.begin(group), size = groups.size(group);
    auto* const blocks = out + begin * of.k;
    for (std::int64_t column = 0; column < size; ++column) {
      const auto* const row = of.b + of.ldb * (j + begin + column);
      for (std::int64_t block = 0; block < of.k; ++block)
        blocks[block * size + column] = Kind::column(row[block]);
    }
  }
}

// Chunks of a batch row that is multiplied by itself, without a panel.
template <typename Kind>
std::int64_t chunks_alone(const Product<Kind>& of) {
  return (of.k + Kind::kAloneBlocks - 1) / Kind::kAloneBlocks;
}

// All batch rows, multiplied one by one; blocks beyond the last are zeros.
template <typename Kind>
void spread_alone(const Product<Kind>& of, Room<typename Kind::Alone>& room) {
  constexpr std::int64_t kEach = Kind::kAloneBlocks;
  const std::int64_t chunks = chunks_alone(of);
  auto* out = room.hold(chunks * of.n);
  for (std::int64_t column = 0; column < of.n; ++column, out += chunks) {
    const auto* const row = of.b + of.ldb * column;
    for (std::int64_t block = 0; block < chunks * kEach; ++block)
      out[block / kEach].set(static_cast<int>(block % kEach),
                             block < of.k ? row[block] : typename Kind::Batch{});
  }
}

// Parts of a product's blocks of almost equal size, each an even number but the last.
template <typename Kind>
std::int64_t blocks_at_a_time(std::int64_t k) {
  const std::int64_t parts = (k + Kind::kPanelBlocks - 1) / Kind::kPanelBlocks;
  return ((k + parts - 1) / parts + 1) / 2 * 2;
}

// Multiplies weight rows by converted batch rows. `ahead`: weights to prefetch.
template <typename Kind>
void compute_panel(const Product<Kind>& of, const typename Kind::Rows& rows, int count,
                   const Groups& groups, const char* ahead, float* out, Workspace<Kind>& own) {
  auto* const all = own.sums.hold(groups.begin(groups.count));
  auto* const panel = own.panel.hold(Kind::kPanelBlocks);
  const std::int64_t each = blocks_at_a_time<Kind>(of.k);
  for (std::int64_t first = 0; first < of.k; first += each) {
    const std::int64_t blocks = std::min(each, of.k - first);
    for (std::int64_t block = 0; block < blocks; ++block) {
      prefetch_blocks<Kind::kBytes>(ahead, first + block);
      Kind::interleaved(rows, first + block, panel[block]);
    }
    const bool last = first + blocks == of.k;
    for (std::int64_t group = 0; group < groups.count; ++group) {
      const std::int64_t begin = groups.begin(group), size = groups.size(group);
      auto* const sums = all + begin;
      float* const group_out = out + of.ldc * begin;
      if (first == 0) std::fill_n(sums, size, typename Kind::Sums{});
      const auto* const batch = own.batch.items.get() + begin * of.k + first * size;
      Kind::run(groups, group, panel, batch, blocks, sums, {last ? group_out : nullptr, of.ldc});
      for (std::int64_t column = 0; last && column < size; ++column)
        sums[column].finish(group_out + of.ldc * column, count);
    }
  }
}

// Computes a turn whose batch rows are converted.
template <typename Kind>
void compute(const Product<Kind>& of, const Turn& turn, Workspace<Kind>& own) {
#ifdef INFERNODE_TILES
  if constexpr (Kind::kPacked) {
    if (of.n == 1)
      return multiply_packed_row(Kind::at(of.a, of.lda, turn.from), own.batch.items.get(), of.k,
                                 (turn.to - turn.from) / kPanelRows, of.c + turn.from);
  }
#endif
  const Groups groups(turn.columns, Kind::kColumns);
  for (std::int64_t i = turn.from; i < turn.to; i += kPanelRows) {
    const int count = static_cast<int>(std::min<std::int64_t>(kPanelRows, turn.to - i));
    const auto rows = Kind::rows(Kind::at(of.a, of.lda, i), of.lda, count);
    float* const out = of.c + of.ldc * turn.j + i;
    if constexpr (Kind::kMostRowsAlone > 0) {
      if (of.n <= Kind::kMostRowsAlone) {
        for (std::int64_t column = 0; column < of.n; ++column)
          Kind::multiplied_rows(rows, own.alone.items.get() + chunks_alone(of) * column, of.k,
                                out + of.ldc * column, count);
        continue;
      }
    }
    const std::int64_t next =
        std::min(i + count + (i + count == turn.to ? turn.leap : 0), of.m - 1);
    compute_panel(of, rows, count, groups,
                  reinterpret_cast<const char*>(Kind::at(of.a, of.lda, next)), out, own);
  }
}

// Batch rows converted at a time.
template <typename Kind>
std::int64_t columns_at_a_time(std::int64_t k) {
  const std::int64_t fit =
      kBatchBytes / (k * static_cast<std::int64_t>(sizeof(typename Kind::Column)));
  return std::max<std::int64_t>(fit / Kind::kColumns, 1) * Kind::kColumns;
}

template <typename Kind>
bool compute_share(const ggml_compute_params& params, const void* a, const void* b, float* c,
                   const Sizes& sizes) {
  const Product<Kind> of(sizes, a, b, c);
  Workspace<Kind>& own = Workspace<Kind>::own();
  const std::int64_t most = std::min(of.n, columns_at_a_time<Kind>(of.k));
  const bool alone = of.n <= Kind::kMostRowsAlone;
  if (alone) {
    spread_alone<Kind>(of, own.alone);
  } else {
    own.batch.hold(most * of.k);
  }
  std::int64_t held = alone ? 0 : -1;  // batch rows from this one on are converted
  infernode_turns::share_out(
      params, of.m, of.n, most, b == params.wdata,
      [&](const Turn& turn) {
        if (held != turn.j) {
          const Groups groups(turn.columns, Kind::kColumns);
          spread(of, turn.j, groups, own.batch.items.get());
#ifdef INFERNODE_TILES
          if constexpr (Kind::kByTiles) {
            const int each = static_cast<int>(groups.each);
            shapes_of(std::min(each + 1, kTileRows), each, Kind::kWidth).load();
          }
#endif
        }
        held = turn.j;
        compute(of, turn, own);
      },
      Kind::kRowsTogether);
  return true;
}

// By tiles where they are faster.
template <typename Kind>
bool compute_by(const ggml_compute_params& params, const void* a, const void* b, float* c,
                const Sizes& sizes) {
#ifdef INFERNODE_TILES
  if (sizes.n >= kLeastRowsForTiles && may_use_tiles()) {
    const TileShapesGuard guard;
    return compute_share<typename Kind::ByTiles>(params, a, b, c, sizes);
  }
#endif
  return compute_share<Kind>(params, a, b, c, sizes);
}

}  // namespace

bool computes(int type) {
  switch (type) {
    case GGML_TYPE_Q8_0:
    case GGML_TYPE_IQ4_NL:
      return kMultipliesBytes;
    case GGML_TYPE_Q5_0:
    case GGML_TYPE_Q5_1:
    case GGML_TYPE_Q4_0:
    case GGML_TYPE_Q4_1:
    case GGML_TYPE_Q4_K:
    case GGML_TYPE_Q5_K:
    case GGML_TYPE_Q6_K:
      return true;
    default:
      return false;
  }
}

bool multiply(const ggml_compute_params& params, std::int64_t m, std::int64_t n, std::int64_t k,
              const void* a, std::int64_t lda, const void* b, std::int64_t ldb, float* c,
              std::int64_t ldc, int a_type, int b_type) {
  if (m == 0 || n == 0 || k == 0 || !computes(a_type)) return false;
  const Sizes sizes{lda, ldb, ldc, m, n, k};
  const auto by = [&](auto kind) { return compute_by<decltype(kind)>(params, a, b, c, sizes); };
  if (b_type == GGML_TYPE_Q8_0) {
    if (a_type == GGML_TYPE_Q5_0) return by(Blocks<Q5_0>());
    if (a_type == GGML_TYPE_Q4_0) return by(Blocks<Q4_0>());
#ifdef INFERNODE_DOT_PRODUCTS
    if (a_type == GGML_TYPE_Q8_0) return by(Blocks<Q8_0>());
    if (a_type == GGML_TYPE_IQ4_NL) return by(Blocks<IQ4_NL>());
#endif
  }
  if (b_type == GGML_TYPE_Q8_1) {
    if (a_type == GGML_TYPE_Q4_1) return by(Blocks<Q4_1>());
    if (a_type == GGML_TYPE_Q5_1) return by(Blocks<Q5_1>());
  }
  if (b_type == GGML_TYPE_Q8_K) {
    if (a_type == GGML_TYPE_Q4_K) return by(SuperBlocks<Q4_K>());
    if (a_type == GGML_TYPE_Q5_K) return by(SuperBlocks<Q5_K>());
    if (a_type == GGML_TYPE_Q6_K) return by(SuperBlocks<Q6_K>());
  }
  return false;
}

#ifdef INFERNODE_TILES
bool computes_packed(int type) {
  return type == GGML_TYPE_Q8_0 || type == GGML_TYPE_Q4_0 || type == GGML_TYPE_Q4_1;
}

bool multiply_packed(const ggml_compute_params& params, std::int64_t m, std::int64_t n,
                     std::int64_t k, const void* a, const void* b, float* c, std::int64_t ldc,
                     int type) {
  if (m == 0 || n == 0 || k == 0 || m % kPanelRows != 0) return false;
  const Sizes sizes{k, k, ldc, m, n, k};
  const auto by = [&](auto kind) { return compute_by<decltype(kind)>(params, a, b, c, sizes); };
  if (type == GGML_TYPE_Q8_0) return by(PackedBlocks<Q8_0>());
  if (type == GGML_TYPE_Q4_0) return by(PackedBlocks<Q4_0>());
  if (type == GGML_TYPE_Q4_1) return by(PackedBlocks<Q4_1>());
  return false;
}
#endif

}  // namespace infernode_panels
#endif
