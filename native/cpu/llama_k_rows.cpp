// Quantizes rows of a batch to Q8_K, the form K-quants are multiplied by: blocks of 256 8-bit
// values. ggml's routine for x86 is scalar, which costs up to a tenth of a prompt's time in
// products.
#include "quants.h"

#include "measured_sets.h"

#if defined(__x86_64__) || defined(_M_X64)
extern "C" decltype(quantize_row_q8_K) infernode_upstream_quantize_row_q8_K;

#ifdef INFERNODE_PANELS
#include "super_formats.h"

namespace infernode_panels {

namespace {

struct Values {
  __m256 floats[QK_K / 8];
};

__m256 size_of(__m256 floats) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), floats); }

// The value of largest magnitude, the first one if there are several; 0 if all are 0 or NaN.
float farthest(const Values& values, const float* row) {
  __m256 most = _mm256_setzero_ps();
  for (const __m256 floats : values.floats) most = _mm256_max_ps(size_of(floats), most);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  four = _mm_max_ps(four, _mm_movehdup_ps(four));
  const __m256 sizes = _mm256_broadcastss_ps(four);
  for (int i = 0; i < QK_K / 8; ++i) {
    const __m256 same = _mm256_cmp_ps(size_of(values.floats[i]), sizes, _CMP_EQ_OQ);
    const auto found = static_cast<unsigned>(_mm256_movemask_ps(same));
    if (found != 0) return row[8 * i + __builtin_ctz(found)];
  }
  return 0;
}

// Lane i of each 128 bits, for i from 0 to 3.
__m256i in_order(__m256i lanes) {
  return _mm256_permutevar8x32_epi32(lanes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

// 32 values, rounded: the low byte of each.
__m256i rounded_bytes(const __m256* floats, float inverse) {
  const auto rounded = [&](int i) {
    const __m256i ints = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_set1_ps(inverse), floats[i]));
    return _mm256_and_si256(_mm256_min_epi32(ints, _mm256_set1_epi32(127)),
                            _mm256_set1_epi32(0xff));
  };
  const __m256i first = _mm256_packus_epi32(rounded(0), rounded(1));
  return in_order(_mm256_packus_epi16(first, _mm256_packus_epi32(rounded(2), rounded(3))));
}

// The sums of 16 values each of 128 bytes.
__m256i sums_of_sixteen(const std::int8_t* values) {
  const auto fours = [&](int i) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), load_bytes(values + 32 * i));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  };
  return in_order(_mm256_hadd_epi32(_mm256_hadd_epi32(fours(0), fours(1)),
                                    _mm256_hadd_epi32(fours(2), fours(3))));
}

// Equal to quantize_row_q8_K_ref(), to the bit.
void quantize(const float* row, block_q8_K& out) {
  Values values;
  for (int i = 0; i < QK_K / 8; ++i) values.floats[i] = _mm256_loadu_ps(row + 8 * i);
  const float most = farthest(values, row);
  if (most == 0) {
    out = {};
    return;
  }
  const float inverse = -127.f / most;
  for (int i = 0; i < QK_K / 32; ++i)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.qs + 32 * i),
                        rounded_bytes(values.floats + 4 * i, inverse));
  const __m256i sums = _mm256_packs_epi32(sums_of_sixteen(out.qs), sums_of_sixteen(out.qs + 128));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.bsums), _mm256_permute4x64_epi64(sums, 0xd8));
  out.d = 1 / inverse;
}

}  // namespace

}  // namespace infernode_panels
#endif

extern "C" void quantize_row_q8_K(const float* row, void* out, int64_t count) {
#ifdef INFERNODE_PANELS
  auto* const blocks = static_cast<block_q8_K*>(out);
  for (int64_t block = 0; block < count / QK_K; ++block)
    infernode_panels::quantize(row + QK_K * block, blocks[block]);
#else
  infernode_upstream_quantize_row_q8_K(row, out, count);
#endif
}
#endif
