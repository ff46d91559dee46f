// Rows of a batch as K-quants are multiplied by: blocks of 256 values of 8 bits. ggml's routine for
// x86 takes value after value, which costs a prompt up to a tenth of its products' time.
#include "quants.h"

#include "measured_sets.h"

#if defined(__x86_64__) || defined(_M_X64)
extern "C" decltype(quantize_row_q8_K) infernode_upstream_quantize_row_q8_K;

#ifdef INFERNODE_MEASURED_AVX512_VNNI
#include "super_rows.h"

namespace infernode_panels {

namespace {

struct Values {
  __m512 floats[QK_K / 16];
};

// The value that is farthest from zero, the first of several; 0 where all are 0 or no numbers.
float farthest(const Values& values, const float* row) {
  __m512 most = _mm512_setzero_ps();
  for (const __m512 floats : values.floats) most = _mm512_max_ps(_mm512_abs_ps(floats), most);
  const float size = _mm512_reduce_max_ps(most);
  const __m512 sizes = _mm512_set1_ps(size);
  for (int i = 0; i < QK_K / 16; ++i) {
    const __mmask16 found = _mm512_cmp_ps_mask(_mm512_abs_ps(values.floats[i]), sizes, _CMP_EQ_OQ);
    if (found != 0) return row[16 * i + __builtin_ctz(found)];
  }
  return 0;
}

// As quantize_row_q8_K_ref(), to the bit.
void quantize(const float* row, block_q8_K& out) {
  Values values;
  for (int i = 0; i < QK_K / 16; ++i) values.floats[i] = _mm512_loadu_ps(row + 16 * i);
  const float most = farthest(values, row);
  if (most == 0) {
    out = {};
    return;
  }
  const float inverse = -127.f / most;
  const __m512 factor = _mm512_set1_ps(inverse);
  for (int i = 0; i < QK_K / 16; ++i) {
    const __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(factor, values.floats[i]));
    const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_min_epi32(rounded, _mm512_set1_epi32(127)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out.qs + 16 * i), bytes);
  }
  __m512i fours[4];
  for (int i = 0; i < 4; ++i)
    fours[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1),
                                   _mm512_loadu_si512(out.qs + 64 * i));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.bsums),
                      _mm512_cvtepi32_epi16(sums_of_small_lanes(fours)));
  out.d = 1 / inverse;
}

}  // namespace

}  // namespace infernode_panels
#endif

extern "C" void quantize_row_q8_K(const float* row, void* out, int64_t count) {
#ifdef INFERNODE_MEASURED_AVX512_VNNI
  auto* const blocks = static_cast<block_q8_K*>(out);
  for (int64_t block = 0; block < count / QK_K; ++block)
    infernode_panels::quantize(row + QK_K * block, blocks[block]);
#else
  infernode_upstream_quantize_row_q8_K(row, out, count);
#endif
}
#endif
