// Attention over a cache of 16-bit keys and values, in llama.cpp's CPU backend. ggml computes each
// query head separately: keys are converted once per head and row, and the sum of values is rounded
// to 16 bits after every cell. Here a block of query rows (those of all heads that share keys, and
// of adjacent tokens) processes the cells together, converts them once, and accumulates in 32 bits.
// A row's result depends neither on the rows computed with it nor on the number of threads: cells
// are processed in tiles with the same boundaries for all rows, and masked cells add exactly
// nothing (test/native/llama_attention_test.cpp). Compiled into ggml-cpu in place of its routine,
// which is renamed and called for all other cases (cmake/InfernodeCpuKernels.cmake,
// docs/decisions/0023). Any thread of a pass, each for its own blocks.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "ggml-cpu-impl.h"
#include "ggml.h"
#include "measured_sets.h"
#include "ops.h"
#include "vec.h"

#if defined(INFERNODE_MEASURED_AVX2) || defined(INFERNODE_MEASURED_AVX_VNNI) || \
    defined(INFERNODE_MEASURED_AVX512_VNNI)
#include "attention_many.h"
#define INFERNODE_ATTENTION 1
#endif

// The declaration in upstream's header is renamed; this file defines the original name.
static_assert(std::is_same_v<decltype(ggml_compute_forward_flash_attn_ext),
                             void(const ggml_compute_params*, ggml_tensor*)>);
extern "C" decltype(ggml_compute_forward_flash_attn_ext) infernode_upstream_flash_attn_ext;

#ifdef INFERNODE_ATTENTION

namespace infernode {

namespace {

constexpr int kMostRows = 32;   // most rows of a block
constexpr int kRowsAtOnce = 2;  // up to so many rows convert cells on the fly, without storing them
// per thread; a finer division gains nothing
constexpr std::int64_t kEnoughBlocks = 4;
constexpr std::int64_t kManyCells = 512;  // from here on ggml divides the cells among threads

// One operation, shared by all threads. Sizes in floats, strides in bytes.
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

// Rows of `tokens` adjacent tokens and `heads` heads: some of the heads that share keys, or all
// heads of several keys.
struct BlockOfRows {
  std::int64_t stream, first_token, tokens, first_head, heads;

  int rows() const { return static_cast<int>(tokens * heads); }
};

// How an operation is divided into blocks.
struct Division {
  std::int64_t tokens, heads;  // per block
  std::int64_t keys, per_key;  // key heads per block, and blocks per key head: one of them is 1
  std::int64_t token_blocks, head_blocks, blocks;

  Division(const Attention& of, std::int64_t tokens_each, std::int64_t heads_each)
      : tokens(tokens_each),
        heads(heads_each),
        keys(std::max<std::int64_t>(heads / of.heads_per_key(), 1)),
        per_key(std::max<std::int64_t>((of.heads_per_key() + heads - 1) / heads, 1)),
        token_blocks((of.tokens() + tokens - 1) / tokens),
        head_blocks(of.heads() / of.heads_per_key() / keys * per_key),
        blocks(token_blocks * head_blocks * of.streams()) {}
};

// One thread's part of the work buffer.
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

// A token's mask for a tile, in 32 bits, hidden beyond `count`. Returns the number of visible
// cells.
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
  convert(mask, visible, out);
  std::fill_n(out + visible, kTile - visible, -INFINITY);
  return visible;
}

// A row's running state: its largest score so far, and the sum of its weights relative to that.
struct RowState {
  float largest = -INFINITY;
  float total = 0;
};

// Turns the scores of a tile into weights, and rescales the earlier sums to the same maximum.
void weigh(const Attention& of, RowState& state, float* scores, const float* mask, int cells,
           float* sums) {
  const int padded = (cells + kWeightLanes - 1) / kWeightLanes * kWeightLanes;
  const __m256 scale = _mm256_set1_ps(of.scale);
  const __m256 none = _mm256_set1_ps(-INFINITY);
  __m256 most = none;
  for (int cell = 0; cell < padded; cell += kLanes) {
    const __m256 eight = _mm256_loadu_ps(mask + cell);
    const __m256 scored =
        _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(scores + cell), scale), eight);
    // Masks scores, whatever value a hidden key produced.
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
      : of_(of),
        block_(block),
        work_(work),
        keys_(static_cast<int>(std::max<std::int64_t>(block.heads / of.heads_per_key(), 1))),
        heads_per_key_(static_cast<int>(block.heads) / keys_) {}

  // Hidden values are multiplied by 0, which adds nothing unless one is infinite or NaN: then the
  // tile is computed again with a check for each cell.
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
    int seeing_tokens[kMostRows], seeing[kMostRows];  // tokens and rows that see a cell of the tile
    int tokens = 0;
    int cells = 0;
    for (std::int64_t token = 0; token < block_.tokens; ++token) {
      const int visible = take_mask(of_, block_, token, first, count, work_.masks + token * kTile);
      cells = std::max(cells, visible);
      if (visible > 0) seeing_tokens[tokens++] = static_cast<int>(token);
    }
    for (int key = 0; key < keys_ && tokens > 0; ++key) {
      int rows = 0;
      for (int i = 0; i < tokens; ++i) {
        for (int head = 0; head < heads_per_key_; ++head)
          seeing[rows++] = (seeing_tokens[i] * keys_ + key) * heads_per_key_ + head;
      }
      add_key_head(first, key, seeing, rows, cells);
    }
  }

  void add_key_head(std::int64_t first, int key, const int* seeing, int rows, int cells) {
    const std::int64_t head = key_head(key);
    const bool last = key + 1 == keys_;
    const Ahead next = last ? Ahead(*of_.keys, first + kTile, key_head(0), key_stream())
                            : Ahead(*of_.keys, first, head + 1, key_stream());
    const Halves values(*of_.values, first, cells, head, key_stream());
    score_tile(seeing, rows, Halves(*of_.keys, first, cells, head, key_stream()), cells, next,
               Ahead(*of_.values, first, head, key_stream()));
    for (int i = 0; i < rows; ++i) {
      const int row = seeing[i];
      weigh(of_, states_[row], scores(row), work_.masks + row / block_.heads * kTile, cells,
            sums(row));
    }
    add_tile_values(seeing, rows, values, cells);
  }

  template <typename... Asked>
  void score_tile(const int* seeing, int rows, const Halves& keys, int cells, Asked... ahead) {
    const int padded = (cells + kCellsAtOnce - 1) / kCellsAtOnce * kCellsAtOnce;
    const int end = (cells + kWeightLanes - 1) / kWeightLanes * kWeightLanes;
    for (int i = 0; i < rows; ++i)
      std::fill(scores(seeing[i]) + padded, scores(seeing[i]) + end, 0.0f);
    if (rows <= kRowsAtOnce) return score_rows(seeing, rows, keys, padded, ahead...);
    score_many(seeing, rows, keys, padded, ahead...);
  }

  // A tile's cells are converted once for all rows.
  template <typename... Asked>
  void score_many(const int* seeing, int rows, const Halves& keys, int cells, Asked... ahead) {
    const int padded = (cells + kCellsOfMany - 1) / kCellsOfMany * kCellsOfMany;
    const KeysOfMany floats(keys, of_.key_size(), padded, work_.keys, ahead...);
    in_groups<kMostRowsAtOnce>(seeing, rows, [&]<int kCount>(const int* group) {
      score_many_keys<kCount>(queries<kCount>(group).data(), floats, padded,
                              scores<kCount>(group).data());
    });
  }

  void add_many(const int* seeing, int rows, const Halves& values, int cells) {
    const Floats floats(values, of_.value_size(), cells, work_.values);
    in_groups<kMostRowsAtOnce>(seeing, rows, [&]<int kCount>(const int* group) {
      add_many_values<kCount>(scores<kCount>(group).data(), floats, cells,
                              sums<kCount>(group).data());
    });
  }

  template <typename Cells, typename... Asked>
  void score_rows(const int* seeing, int rows, const Cells& keys, int padded, Asked... ahead) {
    in_groups<kRowsAtOnce>(seeing, rows, [&]<int kCount>(const int* group) {
      score<kCount>(queries<kCount>(group).data(), keys, of_.key_size(), padded,
                    scores<kCount>(group).data(), ahead...);
    });
  }

  void add_tile_values(const int* seeing, int rows, const Halves& values, int cells) {
    for (int i = 0; i < rows && careful_; ++i)
      add_visible_values(scores(seeing[i]), values, of_.value_size(), cells, sums(seeing[i]));
    if (careful_) return;
    if (rows <= kRowsAtOnce) return add_rows(seeing, rows, values, cells);
    add_many(seeing, rows, values, cells);
  }

  template <typename Cells>
  void add_rows(const int* seeing, int rows, const Cells& values, int cells) {
    in_groups<kRowsAtOnce>(seeing, rows, [&]<int kCount>(const int* group) {
      add_values<kCount>(scores<kCount>(group).data(), values, of_.value_size(), cells,
                         sums<kCount>(group).data());
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
  template <int kCount>
  std::array<float*, kCount> scores(const int* group) const {
    return each<kCount>([&](int i) { return scores(group[i]); });
  }
  template <int kCount>
  std::array<float*, kCount> sums(const int* group) const {
    return each<kCount>([&](int i) { return sums(group[i]); });
  }
  template <int kCount>
  std::array<const float*, kCount> queries(const int* group) const {
    return each<kCount>([&](int i) { return query_of(of_, block_, group[i]); });
  }
  std::int64_t key_head(int key) const { return block_.first_head / of_.heads_per_key() + key; }
  std::int64_t key_stream() const { return block_.stream / (of_.streams() / of_.keys->ne[3]); }

  const Attention& of_;
  const BlockOfRows& block_;
  const Workspace& work_;
  const int keys_;           // number of key heads
  const int heads_per_key_;  // in this block
  RowState states_[kMostRows];
  bool careful_ = false;
};

// Blocks are as large as keeps all threads busy: a large block converts cells once for many rows;
// if there are few rows, cells are read directly, one key head after another.
Division divide(const Attention& of, std::int64_t threads) {
  const std::int64_t together = of.heads_per_key();
  Division by(of, std::min(of.tokens(), std::max<std::int64_t>(kMostRows / together, 1)),
              std::min<std::int64_t>(together, kMostRows));
  while (by.blocks < threads && by.tokens > 1) by = Division(of, (by.tokens + 1) / 2, by.heads);
  while (by.blocks < threads && by.heads > 1) by = Division(of, by.tokens, (by.heads + 1) / 2);
  if (by.tokens < of.tokens() || by.heads < together) return by;
  for (std::int64_t keys = of.keys->ne[2]; keys > 1; --keys) {
    if (of.keys->ne[2] % keys != 0 || by.tokens * keys * together > kMostRows) continue;
    const Division wide(of, by.tokens, keys * together);
    if (wide.blocks % threads == 0 || wide.blocks >= kEnoughBlocks * threads) return wide;
  }
  return by;
}

BlockOfRows block_at(const Attention& of, const Division& by, std::int64_t index) {
  const std::int64_t head_block = index % by.head_blocks;
  const std::int64_t token_block = index / by.head_blocks % by.token_blocks;
  const std::int64_t in_key = head_block % by.per_key * by.heads;
  const std::int64_t key = head_block / by.per_key * by.keys;
  const std::int64_t token = token_block * by.tokens;
  return {index / by.head_blocks / by.token_blocks, token, std::min(by.tokens, of.tokens() - token),
          key * of.heads_per_key() + in_key,
          std::min(by.heads, by.keys * of.heads_per_key() - in_key)};
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

// For tests: whether this variant of the backend contains the routine.
extern "C" bool infernode_has_attention() {
#ifdef INFERNODE_ATTENTION
  return true;
#else
  return false;
#endif
}
