// Q8_0 matrices times batches of rows, in llama.cpp's CPU backend: the largest part of a pass with
// two or more rows. ggml's routine (llamafile_sgemm) converts each row's scale once per pair of
// weight rows, spends a third of its arithmetic on signs, and reads four weight rows at a time
// without prefetching. Compiled into ggml-cpu in place of that routine, which is renamed and called
// for all other cases (cmake/InfernodeCpuKernels.cmake). Sums are computed in ggml's order, so
// results are equal to the bit (test/native/llama_q8_batches_test.cpp). Any thread of a pass, each
// for its own rows.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>

#include "ggml-cpu-impl.h"
#include "ggml.h"
#include "llama_panels.h"
#include "llamafile/sgemm.h"
#include "measured_sets.h"
#include "quants.h"
#include "turns.h"

#if defined(INFERNODE_MEASURED_AVX2)
#include <immintrin.h>
#define INFERNODE_Q8_BATCHES 1
#endif

// m rows of A (weights) times n rows of B (activations) of k blocks each; lda, ldb and ldc are row
// strides, in blocks and floats. False: not supported by this routine, nothing was computed.
// The declaration in upstream's header is renamed; this file defines the original name.
using Sgemm = bool(const ggml_compute_params* params, std::int64_t m, std::int64_t n,
                   std::int64_t k, const void* a, std::int64_t lda, const void* b, std::int64_t ldb,
                   void* c, std::int64_t ldc, int a_type, int b_type, int c_type);
static_assert(std::is_same_v<decltype(llamafile_sgemm), Sgemm>);
extern "C" Sgemm infernode_upstream_sgemm;

namespace {

#ifdef INFERNODE_Q8_BATCHES

using infernode_turns::kWeightRows;  // computed for all columns before the next ones
using infernode_turns::Turn;

constexpr int kColumns = 8;  // batch rows at a time: their sums fit AVX2's registers
// converted at a time: they stay in the second-level cache
constexpr std::int64_t kMostColumns = 64;

using Block = block_q8_0;
static_assert(QK8_0 == 32 && offsetof(Block, d) == 0 && sizeof(Block::d) == 2);
static_assert(std::is_same_v<decltype(Block::qs), std::int8_t[32]> && sizeof(Block) == 34);

// A block of the batch in the layout the sums need: even and odd values as 16-bit words, so that
// each product of pairs is one instruction without handling of signs.
struct alignas(32) Spread {
  std::int16_t even[16];
  std::int16_t odd[16];
};

// 1/256 of a block's scale: weights are used as multiples of 256.
constexpr float kWeightUnit = 1.0f / 256;

struct Matrices {
  const Block* a;
  std::int64_t lda;
  const Block* b;
  std::int64_t ldb;
  float* c;
  std::int64_t ldc;
  std::int64_t k;
};

// One thread's buffers, kept between products.
struct Workspace {
  std::unique_ptr<Spread[]> values;
  std::unique_ptr<float[]> scales;
  std::int64_t size = 0;

  void hold(std::int64_t blocks) {
    if (blocks <= size) return;
    values.reset(new Spread[static_cast<std::size_t>(blocks)]);
    scales.reset(new float[static_cast<std::size_t>(blocks)]);
    size = blocks;
  }
};

__m256i load(const void* values) { return _mm256_loadu_si256(static_cast<const __m256i*>(values)); }

__m128 scale_of(const Block& block) {
  std::int32_t bits;  // the scale and two values
  std::memcpy(&bits, &block, sizeof bits);
  return _mm_cvtph_ps(_mm_cvtsi32_si128(bits));
}

// Blocks of `columns` batch rows from j on; those with the same index are adjacent.
void spread(const Matrices& of, std::int64_t j, std::int64_t columns, Spread* values,
            float* scales) {
  for (std::int64_t column = 0; column < columns; ++column) {
    const Block* row = of.b + of.ldb * (j + column);
    for (std::int64_t block = 0; block < of.k; ++block) {
      const __m256i bytes = load(row[block].qs);
      Spread& out = values[block * columns + column];
      _mm256_store_si256(reinterpret_cast<__m256i*>(out.even),
                         _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8));
      _mm256_store_si256(reinterpret_cast<__m256i*>(out.odd), _mm256_srai_epi16(bytes, 8));
      scales[block * columns + column] = _mm_cvtss_f32(scale_of(row[block])) * kWeightUnit;
    }
  }
}

// Sums of four adjacent products each, in lane order.
__m256i dot(__m256i even, __m256i odd, const Spread& batch) {
  return _mm256_add_epi32(_mm256_madd_epi16(even, load(batch.even)),
                          _mm256_madd_epi16(odd, load(batch.odd)));
}

float sum_of(__m256 x) {
  __m128 sum = _mm_add_ps(_mm256_extractf128_ps(x, 1), _mm256_castps256_ps128(x));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

// One weight row times `kCount` batch rows; `ahead` is the weight row to prefetch meanwhile.
template <int kCount>
void compute_row(const Matrices& of, const Block* weights, const Block* ahead, const Spread* values,
                 const float* scales, float* out) {
  const __m256i high_bytes = _mm256_set1_epi16(static_cast<std::int16_t>(0xff00));
  __m256 sums[kCount];
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column) sums[column] = _mm256_setzero_ps();
  for (std::int64_t block = 0; block < of.k; ++block) {
    _mm_prefetch(reinterpret_cast<const char*>(ahead + block), _MM_HINT_T0);
    const __m256i bytes = load(weights[block].qs);
    const __m256i even = _mm256_slli_epi16(bytes, 8);
    const __m256i odd = _mm256_and_si256(bytes, high_bytes);
    const __m256 scale = _mm256_broadcastss_ps(scale_of(weights[block]));
#pragma GCC unroll 8
    for (int column = 0; column < kCount; ++column) {
      const __m256 both = _mm256_mul_ps(scale, _mm256_broadcast_ss(scales + column));
      const __m256 products = _mm256_cvtepi32_ps(dot(even, odd, values[column]));
      sums[column] = _mm256_fmadd_ps(both, products, sums[column]);
    }
    values += kCount;
    scales += kCount;
  }
#pragma GCC unroll 8
  for (int column = 0; column < kCount; ++column) out[of.ldc * column] = sum_of(sums[column]);
}

using RowKernel = void(const Matrices&, const Block*, const Block*, const Spread*, const float*,
                       float*);
constexpr RowKernel* kKernels[kColumns + 1] = {nullptr,        compute_row<1>, compute_row<2>,
                                               compute_row<3>, compute_row<4>, compute_row<5>,
                                               compute_row<6>, compute_row<7>, compute_row<8>};

// Computes a turn whose batch rows are converted in groups of kColumns, the last group with the
// remainder.
void compute_panel(const Matrices& of, const Turn& turn, const Workspace& batch) {
  const auto [j, columns, from, to, leap] = turn;
  for (std::int64_t first = from; first < to; first += kWeightRows) {
    const std::int64_t last = std::min(first + kWeightRows, to);
    const std::int64_t ahead = of.lda * (kWeightRows + (last == to ? leap : 0));
    for (std::int64_t group = 0; group < columns; group += kColumns) {
      const std::int64_t count = std::min<std::int64_t>(kColumns, columns - group);
      const std::int64_t begin = group * of.k;
      for (std::int64_t i = first; i < last; ++i) {
        const Block* weights = of.a + of.lda * i;
        kKernels[count](of, weights, group == 0 ? weights + ahead : weights,
                        batch.values.get() + begin, batch.scales.get() + begin,
                        of.c + of.ldc * (j + group) + i);
      }
    }
  }
}

void compute_share(const ggml_compute_params& params, const Matrices& of, std::int64_t m,
                   std::int64_t n) {
  thread_local Workspace batch;
  batch.hold(std::min(n, kMostColumns) * of.k);
  std::int64_t held = -1;  // batch rows from this one on are converted
  infernode_turns::share_out(
      params, m, n, kMostColumns, of.b == params.wdata, [&](const Turn& turn) {
        for (std::int64_t group = 0; held != turn.j && group < turn.columns; group += kColumns) {
          spread(of, turn.j + group, std::min<std::int64_t>(kColumns, turn.columns - group),
                 batch.values.get() + group * of.k, batch.scales.get() + group * of.k);
        }
        held = turn.j;
        compute_panel(of, turn, batch);
      });
}

#endif

}  // namespace

extern "C" bool llamafile_sgemm(const ggml_compute_params* params, std::int64_t m, std::int64_t n,
                                std::int64_t k, const void* a, std::int64_t lda, const void* b,
                                std::int64_t ldb, void* c, std::int64_t ldc, int a_type, int b_type,
                                int c_type) {
#ifdef INFERNODE_Q8_BATCHES
  const bool q8_0 = a_type == GGML_TYPE_Q8_0 && b_type == GGML_TYPE_Q8_0;
  if (q8_0 && c_type == GGML_TYPE_F32 && n > 1) {
    compute_share(*params,
                  {static_cast<const Block*>(a), lda, static_cast<const Block*>(b), ldb,
                   static_cast<float*>(c), ldc, k},
                  m, n);
    return true;
  }
#endif
#ifdef INFERNODE_PANELS
  if (c_type == GGML_TYPE_F32 &&
      infernode_panels::multiply(*params, m, n, k, a, lda, b, ldb, static_cast<float*>(c), ldc,
                                 a_type, b_type))
    return true;
#endif
  return infernode_upstream_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
}
