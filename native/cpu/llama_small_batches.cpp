// Q8_0 matrices times a few rows, in llama.cpp's CPU backend: what a decode step of two
// to two dozen sequences, or a draft of one, spends its time on. ggml's own routine for
// several rows (llamafile_sgemm) reads the weights four rows abreast without telling
// the prefetcher; when they come from memory, two rows cost it four times one. Here a
// tile asks for the next tile's weights while it computes.
// Compiled into ggml-cpu in front of that routine, which is renamed for the occasion
// and called for everything else (cmake/InfernodeLlama.cmake). Every sum is taken in its
// order, so the results are the same to the bit (test/native/llama_small_batches_test.cpp).
// Any thread of a pass, each for its own rows.
#include <cstdint>

#include "ggml-cpu-impl.h"
#include "ggml.h"

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include <immintrin.h>
#define INFERNODE_SMALL_BATCHES 1
#endif

extern "C" {

// m rows of A (weights) times n rows of B (activations) of k blocks each; lda, ldb and
// ldc are distances between rows, in blocks and floats. False: it is not for this
// routine, nothing was computed.
bool llamafile_sgemm(const ggml_compute_params* params, std::int64_t m, std::int64_t n,
                     std::int64_t k, const void* a, std::int64_t lda, const void* b,
                     std::int64_t ldb, void* c, std::int64_t ldc, int a_type, int b_type,
                     int c_type);
bool infernode_upstream_sgemm(const ggml_compute_params* params, std::int64_t m, std::int64_t n,
                              std::int64_t k, const void* a, std::int64_t lda, const void* b,
                              std::int64_t ldb, void* c, std::int64_t ldc, int a_type, int b_type,
                              int c_type);
}

namespace {

#ifdef INFERNODE_SMALL_BATCHES

// From here on upstream's tiles read each weight often enough (measured: docs/decisions/0021).
constexpr std::int64_t kManyRows = 25;
constexpr int kWeightRows = 2;  // of a tile: eight sums fit AVX2's registers
constexpr int kBatchRows = 4;

struct Block {  // ggml's block_q8_0
  std::uint16_t scale;
  std::int8_t values[32];
};
static_assert(sizeof(Block) == 34);

struct Matrices {
  const Block* a;
  std::int64_t lda;
  const Block* b;
  std::int64_t ldb;
  float* c;
  std::int64_t ldc;
  std::int64_t k;
};

__m256 scale_of(const Block& block) {
  return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(block.scale)));
}

__m256i values_of(const Block& block) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block.values));
}

// Products of |a| and b with a's sign, each four summed: eight floats.
__m256 dot(__m256i magnitude, __m256i sign, __m256i b) {
  const __m256i signed_b = _mm256_sign_epi8(b, sign);
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
  return _mm256_cvtepi32_ps(_mm256_dpbusd_epi32(_mm256_setzero_si256(), magnitude, signed_b));
#elif defined(__AVXVNNI__)
  return _mm256_cvtepi32_ps(_mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), magnitude, signed_b));
#else
  const __m256i pairs = _mm256_maddubs_epi16(magnitude, signed_b);
  return _mm256_cvtepi32_ps(_mm256_madd_epi16(_mm256_set1_epi16(1), pairs));
#endif
}

float sum_of(__m256 x) {
  __m128 sum = _mm_add_ps(_mm256_extractf128_ps(x, 1), _mm256_castps256_ps128(x));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

// C[i, j] of `kRows` weight rows from i on and `kColumns` batch rows from j on.
template <int kRows, int kColumns>
void compute_tile(const Matrices& of, std::int64_t i, std::int64_t j) {
  const Block* a = of.a + of.lda * i;
  const Block* b = of.b + of.ldb * j;
  __m256 sums[kRows][kColumns] = {};
  for (std::int64_t block = 0; block < of.k; ++block) {
    __m256i weights[kRows], magnitudes[kRows];
    __m256 scales[kRows];
    for (int row = 0; row < kRows; ++row) {
      const Block& mine = a[of.lda * row + block];
      _mm_prefetch(reinterpret_cast<const char*>(&mine + of.lda * kRows), _MM_HINT_T0);
      weights[row] = values_of(mine);
      magnitudes[row] = _mm256_sign_epi8(weights[row], weights[row]);
      scales[row] = scale_of(mine);
    }
    for (int column = 0; column < kColumns; ++column) {
      const Block& theirs = b[of.ldb * column + block];
      const __m256i values = values_of(theirs);
      const __m256 scale = scale_of(theirs);
      for (int row = 0; row < kRows; ++row) {
        sums[row][column] =
            _mm256_fmadd_ps(_mm256_mul_ps(scales[row], scale),
                            dot(magnitudes[row], weights[row], values), sums[row][column]);
      }
    }
  }
  for (int column = 0; column < kColumns; ++column) {
    for (int row = 0; row < kRows; ++row)
      of.c[of.ldc * (j + column) + i + row] = sum_of(sums[row][column]);
  }
}

// All batch rows of these weight rows, which stay in the nearest cache meanwhile.
template <int kRows>
void compute_rows(const Matrices& of, std::int64_t i, std::int64_t n) {
  std::int64_t j = 0;
  for (; j + kBatchRows <= n; j += kBatchRows) compute_tile<kRows, kBatchRows>(of, i, j);
  switch (n - j) {
    case 3:
      return compute_tile<kRows, 3>(of, i, j);
    case 2:
      return compute_tile<kRows, 2>(of, i, j);
    case 1:
      return compute_tile<kRows, 1>(of, i, j);
    default:
      return;
  }
}

// Rows [m * thread / threads, ...) of the weights, in whole tiles.
void multiply(const ggml_compute_params& params, const Matrices& of, std::int64_t m,
              std::int64_t n) {
  const std::int64_t tiles = (m + kWeightRows - 1) / kWeightRows;
  const std::int64_t from = tiles * params.ith / params.nth * kWeightRows;
  const std::int64_t to = tiles * (params.ith + 1) / params.nth * kWeightRows;
  std::int64_t i = from;
  for (; i + kWeightRows <= to && i + kWeightRows <= m; i += kWeightRows)
    compute_rows<kWeightRows>(of, i, n);
  if (i < to && i < m) compute_rows<1>(of, i, n);
}

#endif

}  // namespace

extern "C" bool llamafile_sgemm(const ggml_compute_params* params, std::int64_t m, std::int64_t n,
                                std::int64_t k, const void* a, std::int64_t lda, const void* b,
                                std::int64_t ldb, void* c, std::int64_t ldc, int a_type, int b_type,
                                int c_type) {
#ifdef INFERNODE_SMALL_BATCHES
  const bool q8_0 = a_type == GGML_TYPE_Q8_0 && b_type == GGML_TYPE_Q8_0;
  if (q8_0 && c_type == GGML_TYPE_F32 && n > 1 && n < kManyRows) {
    multiply(*params,
             {static_cast<const Block*>(a), lda, static_cast<const Block*>(b), ldb,
              static_cast<float*>(c), ldc, k},
             m, n);
    return true;
  }
#endif
  return infernode_upstream_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
}
