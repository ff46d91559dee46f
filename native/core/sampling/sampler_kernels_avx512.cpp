// The sampler's loops for x86-64 with AVX-512 (F, BW, VL, DQ).
// Compiled with those instructions enabled, so it calls no inline function of
// the standard library: the linker might keep this copy for other CPUs too.
// Without the flags, or elsewhere, the file only says that it has nothing.
#include "sampler_kernels.h"

#if defined(__x86_64__)
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

// GCC 12's own header initialises vectors with themselves (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "sampler_exp.h"

namespace infernode {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kVectors = kSamplerBlock / kLanes;

__m512 minus_infinity() { return _mm512_set1_ps(-__builtin_inff()); }

__m512 exp_of(__m512 x) {
  using namespace sampler_exp;
  const __mmask16 in_range = _mm512_cmp_ps_mask(x, _mm512_set1_ps(kExpLowest), _CMP_GE_OQ);
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(kLog2E)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(kLn2High), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(kLn2Low), r);
  __m512 q = _mm512_fmadd_ps(_mm512_set1_ps(kQ4), r, _mm512_set1_ps(kQ3));
  q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(kQ2));
  q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(kQ1));
  q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(kQ0));
  const __m512 mantissa =
      _mm512_add_ps(_mm512_fmadd_ps(_mm512_mul_ps(r, r), q, r), _mm512_set1_ps(1.0f));
  return _mm512_maskz_scalef_ps(in_range, mantissa, n);
}

// Lanes of the last, shorter vector; loads put -infinity into the others.
__mmask16 lanes_of(std::size_t count) {
  return count >= kLanes ? __mmask16{0xffff} : static_cast<__mmask16>((1u << count) - 1u);
}

__m512 load_lanes(const float* logits, std::size_t count) {
  return _mm512_mask_loadu_ps(minus_infinity(), lanes_of(count), logits);
}

struct Block {
  __m512 vectors[kVectors];
};

Block load_block(const float* logits) {
  Block block;
  for (std::size_t v = 0; v < kVectors; ++v) {
    block.vectors[v] = _mm512_loadu_ps(logits + v * kLanes);
  }
  return block;
}

// The last, shorter block, filled up with -infinity.
Block load_tail(const float* logits, std::size_t rest) {
  Block block;
  for (std::size_t v = 0; v < kVectors; ++v) {
    const std::size_t begin = v * kLanes;
    block.vectors[v] = begin < rest ? load_lanes(logits + begin, rest - begin) : minus_infinity();
  }
  return block;
}

__m128 upper_quarter(__m256 vector) { return _mm256_extractf128_ps(vector, 1); }

float maximum_block(const Block& block, __mmask16& nans) {
  const __m512* v = block.vectors;
  nans |=
      _mm512_cmp_ps_mask(v[0], v[1], _CMP_UNORD_Q) | _mm512_cmp_ps_mask(v[2], v[3], _CMP_UNORD_Q);
  const __m512 lanes = _mm512_max_ps(_mm512_max_ps(v[0], v[1]), _mm512_max_ps(v[2], v[3]));
  const __m256 eight =
      _mm256_max_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), upper_quarter(eight));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

float maximum_avx512(const float* logits, std::size_t count, float* block_maximum) {
  float maximum = -__builtin_inff();
  __mmask16 nans = 0;
  const std::size_t whole = count / kSamplerBlock;
  for (std::size_t block = 0; block < whole; ++block) {
    block_maximum[block] = maximum_block(load_block(logits + block * kSamplerBlock), nans);
    maximum = block_maximum[block] > maximum ? block_maximum[block] : maximum;
  }
  if (count % kSamplerBlock != 0) {
    const Block tail = load_tail(logits + whole * kSamplerBlock, count % kSamplerBlock);
    block_maximum[whole] = maximum_block(tail, nans);
    maximum = block_maximum[whole] > maximum ? block_maximum[whole] : maximum;
  }
  return nans != 0 ? __builtin_nanf("") : maximum;
}

// Adds the upper half to the lower until one is left: 16, 8, 4, 2, 1.
float fold_sum(__m512 lanes) {
  const __m256 eight =
      _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), upper_quarter(eight));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

float sum_exp_block(const Block& block, __m512 maximum, __m512 scale) {
  __m512 weights[kVectors];
  for (std::size_t v = 0; v < kVectors; ++v) {
    weights[v] = exp_of(_mm512_mul_ps(_mm512_sub_ps(block.vectors[v], maximum), scale));
  }
  return fold_sum(
      _mm512_add_ps(_mm512_add_ps(weights[0], weights[1]), _mm512_add_ps(weights[2], weights[3])));
}

void sum_exp_avx512(const float* logits, std::size_t count, float maximum, float scale,
                    float* block_sum) {
  const __m512 maximums = _mm512_set1_ps(maximum);
  const __m512 scales = _mm512_set1_ps(scale);
  const std::size_t whole = count / kSamplerBlock;
  for (std::size_t block = 0; block < whole; ++block) {
    block_sum[block] = sum_exp_block(load_block(logits + block * kSamplerBlock), maximums, scales);
  }
  if (count % kSamplerBlock == 0) return;
  const Block tail = load_tail(logits + whole * kSamplerBlock, count % kSamplerBlock);
  block_sum[whole] = sum_exp_block(tail, maximums, scales);
}

void exp_avx512(const float* logits, std::size_t count, float maximum, float scale,
                float* weights) {
  const __m512 maximums = _mm512_set1_ps(maximum);
  const __m512 scales = _mm512_set1_ps(scale);
  for (std::size_t i = 0; i < count; i += kLanes) {
    const __m512 logit = load_lanes(logits + i, count - i);
    _mm512_mask_storeu_ps(weights + i, lanes_of(count - i),
                          exp_of(_mm512_mul_ps(_mm512_sub_ps(logit, maximums), scales)));
  }
}

// Appends one block's logits in [lowest, end); its first index is `first`. The
// compressed vector goes through a register: compressing straight to memory
// is microcode on some CPUs (Zen 4).
std::size_t collect_block(const Block& block, std::size_t first, __m512 lowest, __m512 end,
                          TokenId* indices, float* values) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  std::size_t found = 0;
  for (std::size_t v = 0; v < kVectors; ++v) {
    const __m512 logit = block.vectors[v];
    const __mmask16 mask = _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(logit, lowest, _CMP_GE_OQ),
                                                   logit, end, _CMP_LT_OQ);
    if (mask == 0) continue;
    const __m512i ids =
        _mm512_add_epi32(lanes, _mm512_set1_epi32(static_cast<int>(first + v * kLanes)));
    _mm512_storeu_ps(values + found, _mm512_maskz_compress_ps(mask, logit));
    _mm512_storeu_si512(indices + found, _mm512_maskz_compress_epi32(mask, ids));
    found += static_cast<std::size_t>(__builtin_popcount(mask));
  }
  return found;
}

std::size_t collect_avx512(const float* logits, std::size_t count, const float* block_maximum,
                           float lowest, float end, TokenId* indices, float* values) {
  const __m512 lowests = _mm512_set1_ps(lowest);
  const __m512 ends = _mm512_set1_ps(end);
  std::size_t found = 0;
  for (std::size_t first = 0; first < count; first += kSamplerBlock) {
    if (block_maximum != nullptr && !(block_maximum[first / kSamplerBlock] >= lowest)) continue;
    const Block block = first + kSamplerBlock <= count ? load_block(logits + first)
                                                       : load_tail(logits + first, count - first);
    found += collect_block(block, first, lowests, ends, indices + found, values + found);
  }
  return found;
}

// One block's weights, added into 16 lanes.
__m512 add_block(const Block& logits, const Block& weights, __m512 lowest, __m512 lanes) {
  __m512 terms[kVectors];
  for (std::size_t v = 0; v < kVectors; ++v) {
    terms[v] = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(logits.vectors[v], lowest, _CMP_GE_OQ),
                                   weights.vectors[v]);
  }
  return _mm512_add_ps(
      lanes, _mm512_add_ps(_mm512_add_ps(terms[0], terms[1]), _mm512_add_ps(terms[2], terms[3])));
}

double mass_from_avx512(const float* logits, const float* weights, std::size_t count,
                        float lowest) {
  const __m512 lowests = _mm512_set1_ps(lowest);
  double mass = 0;
  for (std::size_t first = 0; first < count; first += kMassChunk) {
    const std::size_t last = first + kMassChunk < count ? first + kMassChunk : count;
    __m512 lanes = _mm512_setzero_ps();
    std::size_t i = first;
    for (; i + kSamplerBlock <= last; i += kSamplerBlock) {
      lanes = add_block(load_block(logits + i), load_block(weights + i), lowests, lanes);
    }
    if (i < last) {
      lanes = add_block(load_tail(logits + i, last - i), load_tail(weights + i, last - i), lowests,
                        lanes);
    }
    mass += static_cast<double>(fold_sum(lanes));
  }
  return mass;
}

// A store never reaches past the vector that was just read.
std::size_t keep_from_avx512(float* logits, TokenId* tokens, std::size_t count, float lowest) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; i += kLanes) {
    const __mmask16 lanes = lanes_of(count - i);
    const __m512 logit = _mm512_maskz_loadu_ps(lanes, logits + i);
    const __m512i token = _mm512_maskz_loadu_epi32(lanes, tokens + i);
    const __mmask16 mask =
        _mm512_mask_cmp_ps_mask(lanes, logit, _mm512_set1_ps(lowest), _CMP_GE_OQ);
    _mm512_storeu_ps(logits + kept, _mm512_maskz_compress_ps(mask, logit));
    _mm512_storeu_si512(tokens + kept, _mm512_maskz_compress_epi32(mask, token));
    kept += static_cast<std::size_t>(__builtin_popcount(mask));
  }
  return kept;
}

constexpr SamplerKernels kAvx512{"avx512",       maximum_avx512,   sum_exp_avx512,  exp_avx512,
                                 collect_avx512, mass_from_avx512, keep_from_avx512};

}  // namespace

const SamplerKernels* avx512_sampler_kernels() {
  const bool supported = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return supported ? &kAvx512 : nullptr;
}

}  // namespace infernode

#else

namespace infernode {
const SamplerKernels* avx512_sampler_kernels() { return nullptr; }
}  // namespace infernode

#endif
#endif
