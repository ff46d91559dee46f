#include "llama_panels.h"

#ifdef INFERNODE_PANELS
#include <array>
#include <memory>
#include <utility>

#include "ggml-cpu-impl.h"
#include "ggml.h"
#include "super_rows.h"
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

// Groups of batch rows of almost equal size, none larger than the registers allow.
struct Groups {
  std::int64_t count, each, larger;  // the first `larger` groups have one row more

  Groups(std::int64_t columns, std::int64_t most)
      : count((columns + most - 1) / most), each(columns / count), larger(columns % count) {}
  std::int64_t begin(std::int64_t group) const { return group * each + std::min(group, larger); }
  std::int64_t size(std::int64_t group) const { return each + (group < larger ? 1 : 0); }
};

// What differs between weights in blocks of 32 and of 256: the layouts of the panel, of the batch
// and of a single batch row, in one or several blocks, and the routines for them. A panel has as
// many blocks as stay in the first-level cache while all batch rows are multiplied by it; an even
// number.
template <typename Format>
struct Blocks : Format {
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
};

template <typename Format>
struct SuperBlocks : Format {
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
};

template <typename Item>
struct Room {
  std::unique_ptr<Item[]> items;
  std::int64_t size = 0;

  Item* hold(std::int64_t count) {
    if (count > size) {
      items.reset(new Item[static_cast<std::size_t>(count)]);
      size = count;
    }
    return items.get();
  }
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

template <typename Kind>
using PanelKernel = void(const typename Kind::Panel*, const typename Kind::Column*, std::int64_t,
                         typename Kind::Sums*);

// [i]: the routine for i + 1 batch rows.
template <typename Kind>
constexpr auto kKernels = []<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
  return std::array<PanelKernel<Kind>*, Kind::kColumns>{Kind::template multiplied<kIndex + 1>...};
}
(std::make_index_sequence<Kind::kColumns>());

// Multiplies weight rows by converted batch rows. `ahead`: weights to prefetch.
template <typename Kind>
void compute_panel(const Product<Kind>& of, const PanelRows<typename Kind::Block>& rows, int count,
                   const Groups& groups, const char* ahead, float* out, Workspace<Kind>& own) {
  const std::int64_t columns = groups.begin(groups.count);
  auto* const sums = own.sums.hold(columns);
  std::fill_n(sums, columns, typename Kind::Sums{});
  auto* const panel = own.panel.hold(Kind::kPanelBlocks);
  for (std::int64_t first = 0; first < of.k; first += Kind::kPanelBlocks) {
    const std::int64_t blocks = std::min(Kind::kPanelBlocks, of.k - first);
    for (std::int64_t block = 0; block < blocks; ++block) {
      prefetch_blocks<Kind>(ahead, first + block);
      Kind::interleaved(rows, first + block, panel[block]);
    }
    for (std::int64_t group = 0; group < groups.count; ++group) {
      const std::int64_t begin = groups.begin(group), size = groups.size(group);
      kKernels<Kind>[static_cast<std::size_t>(size - 1)](
          panel, own.batch.items.get() + begin * of.k + first * size, blocks, sums + begin);
    }
  }
  for (std::int64_t column = 0; column < columns; ++column)
    sums[column].finish(out + of.ldc * column, count);
}

// Computes a turn whose batch rows are converted.
template <typename Kind>
void compute(const Product<Kind>& of, const Turn& turn, Workspace<Kind>& own) {
  const Groups groups(turn.columns, Kind::kColumns);
  for (std::int64_t i = turn.from; i < turn.to; i += kPanelRows) {
    const int count = static_cast<int>(std::min<std::int64_t>(kPanelRows, turn.to - i));
    const PanelRows<typename Kind::Block> rows(of.a + of.lda * i, of.lda, count);
    float* const out = of.c + of.ldc * turn.j + i;
    if (of.n <= Kind::kMostRowsAlone) {
      for (std::int64_t column = 0; column < of.n; ++column)
        Kind::multiplied_rows(rows, own.alone.items.get() + chunks_alone(of) * column, of.k,
                              out + of.ldc * column, count);
      continue;
    }
    const std::int64_t next =
        std::min(i + count + (i + count == turn.to ? turn.leap : 0), of.m - 1);
    compute_panel(of, rows, count, groups, reinterpret_cast<const char*>(of.a + of.lda * next), out,
                  own);
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
  infernode_turns::share_out(params, of.m, of.n, most, b, [&](const Turn& turn) {
    if (held != turn.j)
      spread(of, turn.j, Groups(turn.columns, Kind::kColumns), own.batch.items.get());
    held = turn.j;
    compute(of, turn, own);
  });
  return true;
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
  const auto by = [&](auto kind) { return compute_share<decltype(kind)>(params, a, b, c, sizes); };
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

}  // namespace infernode_panels
#endif
