#include "llama_panels.h"

#ifdef INFERNODE_MEASURED_AVX512_VNNI
#include <memory>

#include "ggml-cpu-impl.h"
#include "ggml.h"
#include "super_rows.h"
#include "turns.h"

namespace infernode_panels {

namespace {

using infernode_turns::Turn;
static_assert(infernode_turns::kWeightRows == kPanelRows);

constexpr std::int64_t kBatchBytes = 640 << 10;  // of batch rows at once: in the second cache

struct Sizes {
  std::int64_t lda, ldb, ldc;  // between rows, in blocks and floats
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

// Groups of batch rows that are as even as they can be, none above what fits the registers.
struct Groups {
  std::int64_t count, each, larger;  // the first `larger` of them have one row more

  explicit Groups(std::int64_t columns)
      : count((columns + kMostColumns - 1) / kMostColumns),
        each(columns / count),
        larger(columns % count) {}
  std::int64_t begin(std::int64_t group) const { return group * each + std::min(group, larger); }
  std::int64_t size(std::int64_t group) const { return each + (group < larger ? 1 : 0); }
};

// What differs between weights in blocks of 32 and of 256: the panel's, the batch's and a lone
// batch row's form of one or some blocks, and the routines for them.
template <typename Format>
struct Blocks : Format {
  using Panel = PanelBlock;
  using Column = BatchBlock;
  using Alone = RowBatch<Format>;
  static constexpr std::int64_t kAloneBlocks = kChunk;
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
  static constexpr std::int64_t kAloneBlocks = 1;
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

// What a thread keeps between products.
template <typename Kind>
struct Workspace {
  Room<typename Kind::Panel> panel;
  Room<typename Kind::Column> batch;
  Room<typename Kind::Alone> alone;

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

// A batch row that is multiplied alone; what is beyond its last block is zeros.
template <typename Kind>
void spread_alone(const Product<Kind>& of, Room<typename Kind::Alone>& room) {
  constexpr std::int64_t kEach = Kind::kAloneBlocks;
  const std::int64_t count = (of.k + kEach - 1) / kEach;
  auto* const out = room.hold(count);
  for (std::int64_t block = 0; block < count * kEach; ++block)
    out[block / kEach].set(static_cast<int>(block % kEach),
                           block < of.k ? Kind::column(of.b[block]) : typename Kind::Column{});
}

template <typename Kind>
using PanelKernel = void(const typename Kind::Panel*, const typename Kind::Column*, std::int64_t,
                         float*, std::int64_t, __mmask16);
template <typename Kind>
constexpr PanelKernel<Kind>* kKernels[kMostColumns + 1] = {nullptr,
                                                           Kind::template multiplied<1>,
                                                           Kind::template multiplied<2>,
                                                           Kind::template multiplied<3>,
                                                           Kind::template multiplied<4>,
                                                           Kind::template multiplied<5>,
                                                           Kind::template multiplied<6>,
                                                           Kind::template multiplied<7>,
                                                           Kind::template multiplied<8>};

// A turn, whose batch rows are spread out.
template <typename Kind>
void compute(const Product<Kind>& of, const Turn& turn, const Groups& groups,
             Workspace<Kind>& own) {
  const auto* const batch = own.batch.items.get();
  for (std::int64_t i = turn.from; i < turn.to; i += kPanelRows) {
    const std::int64_t count = std::min<std::int64_t>(kPanelRows, turn.to - i);
    const PanelRows<typename Kind::Block> rows(of.a + of.lda * i, of.lda, count);
    const auto mask = static_cast<__mmask16>((1U << count) - 1);
    const std::int64_t next =
        std::min(i + count + (i + count == turn.to ? turn.leap : 0), of.m - 1);
    const char* const ahead = reinterpret_cast<const char*>(of.a + of.lda * next);
    float* const out = of.c + of.ldc * turn.j + i;
    if (of.n == 1) {
      Kind::multiplied_rows(rows, own.alone.items.get(), of.k, out, mask);
      continue;
    }
    auto* const panel = own.panel.hold(of.k);
    for (std::int64_t block = 0; block < of.k; ++block) {
      prefetch_blocks<Kind>(ahead, block);
      Kind::interleaved(rows, block, panel[block]);
    }
    for (std::int64_t group = 0; group < groups.count; ++group) {
      const std::int64_t begin = groups.begin(group);
      kKernels<Kind>[groups.size(group)](panel, batch + begin * of.k, of.k, out + of.ldc * begin,
                                         of.ldc, mask);
    }
  }
}

// Batch rows that are spread out at once.
template <typename Kind>
std::int64_t columns_at_a_time(std::int64_t k) {
  const std::int64_t fit =
      kBatchBytes / (k * static_cast<std::int64_t>(sizeof(typename Kind::Column)));
  return std::max<std::int64_t>(fit / kMostColumns, 1) * kMostColumns;
}

template <typename Kind>
bool compute_share(const ggml_compute_params& params, const void* a, const void* b, float* c,
                   const Sizes& sizes) {
  const Product<Kind> of(sizes, a, b, c);
  Workspace<Kind>& own = Workspace<Kind>::own();
  const std::int64_t most = std::min(of.n, columns_at_a_time<Kind>(of.k));
  if (of.n == 1) {
    spread_alone<Kind>(of, own.alone);
  } else {
    own.batch.hold(most * of.k);
  }
  std::int64_t held = of.n == 1 ? 0 : -1;  // the batch rows from there on are spread out
  infernode_turns::share_out(params, of.m, of.n, most, b, [&](const Turn& turn) {
    const Groups groups(turn.columns);
    if (held != turn.j) spread(of, turn.j, groups, own.batch.items.get());
    held = turn.j;
    compute(of, turn, groups, own);
  });
  return true;
}

}  // namespace

bool computes(int type) {
  switch (type) {
    case GGML_TYPE_Q8_0:
    case GGML_TYPE_Q5_0:
    case GGML_TYPE_Q5_1:
    case GGML_TYPE_Q4_0:
    case GGML_TYPE_Q4_1:
    case GGML_TYPE_IQ4_NL:
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
  if (m == 0 || n == 0 || k == 0) return false;
  const Sizes sizes{lda, ldb, ldc, m, n, k};
  const auto by = [&](auto kind) { return compute_share<decltype(kind)>(params, a, b, c, sizes); };
  if (b_type == GGML_TYPE_Q8_0) {
    if (a_type == GGML_TYPE_Q8_0) return by(Blocks<Q8_0>());
    if (a_type == GGML_TYPE_Q5_0) return by(Blocks<Q5_0>());
    if (a_type == GGML_TYPE_Q4_0) return by(Blocks<Q4_0>());
    if (a_type == GGML_TYPE_IQ4_NL) return by(Blocks<IQ4_NL>());
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
