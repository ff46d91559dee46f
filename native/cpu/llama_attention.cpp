// Attention over a cache of 16-bit keys and values, in llama.cpp's CPU backend. ggml
// computes each query head for itself: keys are converted once per head and row, and the
// sum of values is rounded to 16 bits after every cell. Here a block of query rows, those
// of all heads that share keys and of neighbouring tokens, goes over the cells together,
// converts them once, and sums in 32 bits.
// What a row gets does not depend on the rows beside it, nor on the number of threads:
// cells are taken in tiles that begin at the same places for all, and cells a row may not
// see add nothing (test/native/llama_attention_test.cpp).
// Compiled into ggml-cpu in front of its routine, which is renamed for the occasion and
// called for everything else (cmake/InfernodeLlama.cmake, docs/decisions/0023).
// Any thread of a pass, each for its own blocks.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ggml-cpu-impl.h"
#include "ggml.h"
#include "vec.h"

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "attention_kernels.h"
#define INFERNODE_ATTENTION 1
#endif

extern "C" {

void ggml_compute_forward_flash_attn_ext(const ggml_compute_params* params, ggml_tensor* out);
void infernode_upstream_flash_attn_ext(const ggml_compute_params* params, ggml_tensor* out);
}

#ifdef INFERNODE_ATTENTION

namespace infernode {

namespace {

constexpr int kTile = 64;                 // cells
constexpr int kMostRows = 32;             // of a block
constexpr int kRowsAtOnce = 2;            // up to so many convert for themselves: nothing is stored
constexpr std::int64_t kManyCells = 512;  // from here on ggml divides them among threads

// One operation, as all threads see it. Sizes in floats, distances in bytes.
struct Attention {
  const ggml_tensor* queries;  // [key size, tokens, heads, streams], 32 bits
  const ggml_tensor* keys;     // [key size, cells, key heads, streams]
  const ggml_tensor* values;   // [value size, cells, key heads, streams]
  const ggml_tensor* mask;     // [cells, tokens, 1, streams] or none
  ggml_tensor* out;            // [value size, heads, tokens, streams]
  float scale;

  std::int64_t key_size() const { return keys->ne[0]; }
  std::int64_t value_size() const { return values->ne[0]; }
  std::int64_t cells() const { return keys->ne[1]; }
  std::int64_t tokens() const { return queries->ne[1]; }
  std::int64_t heads() const { return queries->ne[2]; }
  std::int64_t streams() const { return queries->ne[3]; }
  std::int64_t heads_per_key() const { return heads() / keys->ne[2]; }
};

// Rows of `tokens` neighbouring tokens and `heads` heads with the same keys.
struct BlockOfRows {
  std::int64_t stream, first_token, tokens, first_head, heads;

  int rows() const { return static_cast<int>(tokens * heads); }
};

// How an operation is cut into blocks.
struct Division {
  std::int64_t tokens, heads;  // of a block
  std::int64_t token_blocks, head_blocks, blocks;
};

// A thread's part of the work buffer.
struct Workspace {
  float* keys;    // [kTile][key size]
  float* values;  // [kTile][value size]
  float* scores;  // [kMostRows][kTile]
  float* masks;   // [kMostRows][kTile]
  float* sums;    // [kMostRows][value size]

  static std::size_t size(const Attention& of) {
    const std::int64_t rows =
        kTile * (of.key_size() + of.value_size()) + kMostRows * (2 * kTile + of.value_size());
    return static_cast<std::size_t>(rows);
  }

  Workspace(const Attention& of, float* memory)
      : keys(memory),
        values(keys + kTile * of.key_size()),
        scores(values + kTile * of.value_size()),
        masks(scores + kMostRows * kTile),
        sums(masks + kMostRows * kTile) {}
};

const float* query_of(const Attention& of, const BlockOfRows& block, int row) {
  const std::int64_t token = block.first_token + row / block.heads;
  const std::int64_t head = block.first_head + row % block.heads;
  return reinterpret_cast<const float*>(at(*of.queries, token, head, block.stream));
}

// The mask of a token for a tile in 32 bits, hidden beyond `count`. How far it sees.
int take_mask(const Attention& of, const BlockOfRows& block, std::int64_t token, std::int64_t first,
              int count, float* out) {
  if (of.mask == nullptr) {
    std::fill_n(out, count, 0.0f);
    std::fill_n(out + count, kTile - count, -INFINITY);
    return count;
  }
  const auto* mask = reinterpret_cast<const std::uint16_t*>(at(*of.mask, block.first_token + token,
                                                               0, block.stream % of.mask->ne[3])) +
                     first;
  const int visible = visible_cells(mask, count);
  if (visible == 0) return 0;
  int cell = 0;
  for (; cell + kLanes <= visible; cell += kLanes)
    _mm256_storeu_ps(out + cell, converted(mask + cell));
  for (; cell < visible; ++cell) out[cell] = _cvtsh_ss(mask[cell]);
  std::fill_n(out + visible, kTile - visible, -INFINITY);
  return visible;
}

// What a row knows of the cells it has seen: their largest score, and the sum of their
// weights beside it.
struct RowState {
  float largest = -INFINITY;
  float total = 0;
};

// Turns the scores of a tile into weights, and what was summed before into their unit.
void weigh(const Attention& of, RowState& state, float* scores, const float* mask, int cells,
           float* sums) {
  const int padded = (cells + kLanes - 1) / kLanes * kLanes;
  const __m256 scale = _mm256_set1_ps(of.scale);
  const __m256 none = _mm256_set1_ps(-INFINITY);
  __m256 most = none;
  for (int cell = 0; cell < padded; cell += kLanes) {
    const __m256 eight = _mm256_loadu_ps(mask + cell);
    const __m256 scored =
        _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(scores + cell), scale), eight);
    // Whatever a hidden key holds.
    const __m256 masked = _mm256_blendv_ps(scored, none, _mm256_cmp_ps(eight, none, _CMP_EQ_OQ));
    _mm256_storeu_ps(scores + cell, masked);
    most = _mm256_max_ps(most, masked);
  }
  const float largest = std::max(state.largest, largest_of(most));
  if (largest > state.largest) {
    const float factor = std::exp(state.largest - largest);
    state.total *= factor;
    scale_by(sums, of.value_size(), factor);
    state.largest = largest;
  }
  state.total += static_cast<float>(ggml_vec_soft_max_f32(padded, scores, scores, largest));
}

class BlockRun {
 public:
  BlockRun(const Attention& of, const BlockOfRows& block, const Workspace& work)
      : of_(of), block_(block), work_(work) {}

  // Hidden values are multiplied with 0, which is nothing unless one is infinite or
  // none: then all is done again with an eye on them.
  void run() {
    add_tiles();
    for (int row = 0; row < block_.rows() && !careful_; ++row)
      careful_ = has_nan(sums(row), of_.value_size());
    if (careful_) add_tiles();
    finish();
  }

 private:
  void add_tiles() {
    std::fill_n(work_.sums, block_.rows() * of_.value_size(), 0.0f);
    std::fill_n(states_, block_.rows(), RowState{});
    for (std::int64_t first = 0; first < of_.cells(); first += kTile)
      add_tile(first, static_cast<int>(std::min<std::int64_t>(kTile, of_.cells() - first)));
  }

  void add_tile(std::int64_t first, int count) {
    int seeing[kMostRows];  // rows that see a cell of it
    int rows = 0;
    int cells = 0;
    for (std::int64_t token = 0; token < block_.tokens; ++token) {
      const int visible = take_mask(of_, block_, token, first, count, work_.masks + token * kTile);
      cells = std::max(cells, visible);
      if (visible == 0) continue;
      for (std::int64_t head = 0; head < block_.heads; ++head)
        seeing[rows++] = static_cast<int>(token * block_.heads + head);
    }
    if (rows == 0) return;
    score_tile(seeing, rows, {*of_.keys, first, cells, key_head(), key_stream()}, cells);
    for (int i = 0; i < rows; ++i) {
      const int row = seeing[i];
      weigh(of_, states_[row], scores(row), work_.masks + row / block_.heads * kTile, cells,
            sums(row));
    }
    add_tile_values(seeing, rows, {*of_.values, first, cells, key_head(), key_stream()}, cells);
  }

  void score_tile(const int* seeing, int rows, const Halves& keys, int cells) {
    const int padded = (cells + kCellsAtOnce - 1) / kCellsAtOnce * kCellsAtOnce;
    // The weights are taken by eights.
    const int end = (cells + kLanes - 1) / kLanes * kLanes;
    for (int i = 0; i < rows; ++i)
      std::fill(scores(seeing[i]) + padded, scores(seeing[i]) + end, 0.0f);
    if (rows <= kRowsAtOnce) return score_rows(seeing, rows, keys, padded);
    score_rows(seeing, rows, Floats(keys, of_.key_size(), padded, work_.keys), padded);
  }

  template <typename Cells>
  void score_rows(const int* seeing, int rows, const Cells& keys, int padded) {
    in_twos(
        seeing, rows,
        [&](int a, int b) {
          const float* queries[] = {query_of(of_, block_, a), query_of(of_, block_, b)};
          float* out[] = {scores(a), scores(b)};
          score<2>(queries, keys, of_.key_size(), padded, out);
        },
        [&](int a) {
          const float* queries[] = {query_of(of_, block_, a)};
          float* out[] = {scores(a)};
          score<1>(queries, keys, of_.key_size(), padded, out);
        });
  }

  void add_tile_values(const int* seeing, int rows, const Halves& values, int cells) {
    for (int i = 0; i < rows && careful_; ++i)
      add_visible_values(scores(seeing[i]), values, of_.value_size(), cells, sums(seeing[i]));
    if (careful_) return;
    if (rows <= kRowsAtOnce) return add_rows(seeing, rows, values, cells);
    add_rows(seeing, rows, Floats(values, of_.value_size(), cells, work_.values), cells);
  }

  template <typename Cells>
  void add_rows(const int* seeing, int rows, const Cells& values, int cells) {
    in_twos(
        seeing, rows,
        [&](int a, int b) {
          const float* weights[] = {scores(a), scores(b)};
          float* out[] = {sums(a), sums(b)};
          add_values<2>(weights, values, of_.value_size(), cells, out);
        },
        [&](int a) {
          const float* weights[] = {scores(a)};
          float* out[] = {sums(a)};
          add_values<1>(weights, values, of_.value_size(), cells, out);
        });
  }

  void finish() {
    for (int row = 0; row < block_.rows(); ++row) {
      const float total = states_[row].total;
      scale_by(sums(row), of_.value_size(), total == 0 ? 0 : 1 / total);
      const std::int64_t token = block_.first_token + row / block_.heads;
      const std::int64_t head = block_.first_head + row % block_.heads;
      auto* out = const_cast<char*>(at(*of_.out, head, token, block_.stream));
      std::memcpy(out, sums(row), static_cast<std::size_t>(of_.value_size()) * sizeof(float));
    }
  }

  float* scores(int row) const { return work_.scores + row * kTile; }
  float* sums(int row) const { return work_.sums + row * of_.value_size(); }
  std::int64_t key_head() const { return block_.first_head / of_.heads_per_key(); }
  std::int64_t key_stream() const { return block_.stream / (of_.streams() / of_.keys->ne[3]); }

  const Attention& of_;
  const BlockOfRows& block_;
  const Workspace& work_;
  RowState states_[kMostRows];
  bool careful_ = false;
};

// Blocks as large as keep all threads busy: a large one converts cells for many rows.
Division divide(const Attention& of, std::int64_t threads) {
  Division by{std::min<std::int64_t>(of.tokens(),
                                     std::max<std::int64_t>(kMostRows / of.heads_per_key(), 1)),
              std::min<std::int64_t>(of.heads_per_key(), kMostRows), 0, 0, 0};
  const auto count = [&] {
    by.token_blocks = (of.tokens() + by.tokens - 1) / by.tokens;
    by.head_blocks =
        of.heads() / of.heads_per_key() * ((of.heads_per_key() + by.heads - 1) / by.heads);
    by.blocks = by.token_blocks * by.head_blocks * of.streams();
  };
  count();
  while (by.blocks < threads && by.tokens > 1) {
    by.tokens = (by.tokens + 1) / 2;
    count();
  }
  while (by.blocks < threads && by.heads > 1) {
    by.heads = (by.heads + 1) / 2;
    count();
  }
  return by;
}

BlockOfRows block_at(const Attention& of, const Division& by, std::int64_t index) {
  const std::int64_t head_block = index % by.head_blocks;
  const std::int64_t token_block = index / by.head_blocks % by.token_blocks;
  const std::int64_t per_key = (of.heads_per_key() + by.heads - 1) / by.heads;
  const std::int64_t in_group = head_block % per_key * by.heads;
  const std::int64_t token = token_block * by.tokens;
  return {index / by.head_blocks / by.token_blocks, token, std::min(by.tokens, of.tokens() - token),
          head_block / per_key * of.heads_per_key() + in_group,
          std::min(by.heads, of.heads_per_key() - in_group)};
}

bool takes(const ggml_compute_params& params, const Attention& of, float max_bias, float softcap) {
  if (params.use_ref || max_bias != 0 || softcap != 0 || of.out->src[4] != nullptr) return false;
  if (of.queries->type != GGML_TYPE_F32 || of.keys->type != GGML_TYPE_F16 ||
      of.values->type != GGML_TYPE_F16)
    return false;
  if (of.key_size() % kLanes != 0 || of.value_size() % kLanes != 0) return false;
  if (of.keys->ne[2] != of.values->ne[2] || of.keys->ne[3] != of.values->ne[3]) return false;
  if (of.mask != nullptr && (of.mask->type != GGML_TYPE_F16 || of.mask->ne[2] != 1)) return false;
  const auto threads = static_cast<std::size_t>(params.nth);
  return Workspace::size(of) * threads * sizeof(float) <= params.wsize;
}

bool attend(const ggml_compute_params& params, ggml_tensor* out) {
  float scale, max_bias, softcap;
  const auto* options = reinterpret_cast<const char*>(out->op_params);
  std::memcpy(&scale, options, sizeof scale);
  std::memcpy(&max_bias, options + sizeof scale, sizeof max_bias);
  std::memcpy(&softcap, options + 2 * sizeof scale, sizeof softcap);
  const Attention of{out->src[0], out->src[1], out->src[2], out->src[3], out, scale};
  if (!takes(params, of, max_bias, softcap)) return false;
  const Division by = divide(of, params.nth);
  if (by.blocks < params.nth && of.cells() >= kManyCells) return false;
  const Workspace work(of, static_cast<float*>(params.wdata) + params.ith * Workspace::size(of));
  for (std::int64_t index = params.ith; index < by.blocks; index += params.nth) {
    const BlockOfRows block = block_at(of, by, index);
    BlockRun(of, block, work).run();
  }
  return true;
}

}  // namespace

}  // namespace infernode

#endif

extern "C" void ggml_compute_forward_flash_attn_ext(const ggml_compute_params* params,
                                                    ggml_tensor* out) {
#ifdef INFERNODE_ATTENTION
  if (infernode::attend(*params, out)) return;
#endif
  infernode_upstream_flash_attn_ext(params, out);
}
