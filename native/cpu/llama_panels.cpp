#include "llama_panels.h"

#ifdef INFERNODE_MEASURED_AVX512_VNNI
#include <memory>

#include "ggml-cpu-impl.h"
#include "ggml.h"
#include "panel_rows.h"
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

template <typename Format>
struct Product : Sizes {
  const typename Format::Block* a;
  const typename Format::Batch* b;
  float* c;

  Product(const Sizes& sizes, const void* weights, const void* batch, float* out)
      : Sizes(sizes),
        a(static_cast<const typename Format::Block*>(weights)),
        b(static_cast<const typename Format::Batch*>(batch)),
        c(out) {}
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
struct Workspace {
  Room<PanelBlock> panel;
  Room<BatchBlock> batch;
  Room<RowBatch> alone;
};

Workspace& workspace() {
  thread_local Workspace own;
  return own;
}

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

template <typename Format>
void spread(const Product<Format>& of, std::int64_t j, const Groups& groups, BatchBlock* out) {
  for (std::int64_t group = 0; group < groups.count; ++group) {
    const std::int64_t begin = groups.begin(group), size = groups.size(group);
    BatchBlock* const blocks = out + begin * of.k;
    for (std::int64_t column = 0; column < size; ++column) {
      const auto* const row = of.b + of.ldb * (j + begin + column);
      for (std::int64_t block = 0; block < of.k; ++block)
        blocks[block * size + column] = batch_block<Format>(row[block]);
    }
  }
}

std::int64_t chunks(std::int64_t blocks) { return (blocks + kChunk - 1) / kChunk; }

// A batch row that is multiplied alone.
template <typename Format>
void spread_alone(const typename Format::Batch* row, std::int64_t blocks, RowBatch* out) {
  for (std::int64_t block = 0; block < chunks(blocks) * kChunk; ++block)
    out[block / kChunk].set(static_cast<int>(block % kChunk),
                            block < blocks ? batch_block<Format>(row[block]) : BatchBlock{});
}

using PanelKernel = void(const PanelBlock*, const BatchBlock*, std::int64_t, float*, std::int64_t,
                         __mmask16);
template <typename Format>
constexpr PanelKernel* kKernels[kMostColumns + 1] = {
    nullptr,
    multiply_panel<Format, 1>,
    multiply_panel<Format, 2>,
    multiply_panel<Format, 3>,
    multiply_panel<Format, 4>,
    multiply_panel<Format, 5>,
    multiply_panel<Format, 6>,
    multiply_panel<Format, 7>,
    multiply_panel<Format, 8>,
};

// A turn, whose batch rows are spread out.
template <typename Format>
void compute(const Product<Format>& of, const Turn& turn, const Groups& groups, Workspace& own) {
  const BatchBlock* const batch = own.batch.items.get();
  for (std::int64_t i = turn.from; i < turn.to; i += kPanelRows) {
    const std::int64_t count = std::min<std::int64_t>(kPanelRows, turn.to - i);
    const PanelRows<typename Format::Block> rows(of.a + of.lda * i, of.lda, count);
    const auto mask = static_cast<__mmask16>((1U << count) - 1);
    const std::int64_t next =
        std::min(i + count + (i + count == turn.to ? turn.leap : 0), of.m - 1);
    const char* const ahead = reinterpret_cast<const char*>(of.a + of.lda * next);
    float* const out = of.c + of.ldc * turn.j + i;
    if (of.n == 1) {
      multiply_rows<Format>(rows, own.alone.items.get(), of.k, out, mask);
      continue;
    }
    PanelBlock* const panel = own.panel.hold(of.k);
    for (std::int64_t block = 0; block < of.k; ++block) {
      prefetch_blocks<Format>(ahead, block);
      interleave<Format>(rows, block, panel[block]);
    }
    for (std::int64_t group = 0; group < groups.count; ++group) {
      const std::int64_t begin = groups.begin(group);
      kKernels<Format>[groups.size(group)](panel, batch + begin * of.k, of.k, out + of.ldc * begin,
                                           of.ldc, mask);
    }
  }
}

// Batch rows that are spread out at once.
std::int64_t columns_at_a_time(std::int64_t k) {
  const std::int64_t fit = kBatchBytes / (k * static_cast<std::int64_t>(sizeof(BatchBlock)));
  return std::max<std::int64_t>(fit / kMostColumns, 1) * kMostColumns;
}

template <typename Format>
bool compute_share(const ggml_compute_params& params, const void* a, const void* b, float* c,
                   const Sizes& sizes) {
  const Product<Format> of(sizes, a, b, c);
  Workspace& own = workspace();
  const std::int64_t most = std::min(of.n, columns_at_a_time(of.k));
  if (of.n == 1) {
    spread_alone<Format>(of.b, of.k, own.alone.hold(chunks(of.k)));
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

bool multiply(const ggml_compute_params& params, std::int64_t m, std::int64_t n, std::int64_t k,
              const void* a, std::int64_t lda, const void* b, std::int64_t ldb, float* c,
              std::int64_t ldc, int a_type, int b_type) {
  if (m == 0 || n == 0 || k == 0) return false;
  const Sizes sizes{lda, ldb, ldc, m, n, k};
  if (b_type == GGML_TYPE_Q8_0) {
    if (a_type == GGML_TYPE_Q8_0) return compute_share<Q8_0>(params, a, b, c, sizes);
    if (a_type == GGML_TYPE_Q5_0) return compute_share<Q5_0>(params, a, b, c, sizes);
  }
  if (b_type == GGML_TYPE_Q8_1) {
    if (a_type == GGML_TYPE_Q4_1) return compute_share<Q4_1>(params, a, b, c, sizes);
    if (a_type == GGML_TYPE_Q5_1) return compute_share<Q5_1>(params, a, b, c, sizes);
  }
  return false;
}

}  // namespace infernode_panels
#endif
