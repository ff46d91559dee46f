// The sampler's loops for x86-64 with AVX2 and FMA; 16 lanes are two vectors.
// Compiled with those instructions enabled, so it calls no inline function of
// the standard library: the linker might keep this copy for other CPUs too.
// Without the flags, or elsewhere, the file only says that it has nothing.
#include "sampler_kernels.h"

#if defined(__x86_64__)
#if defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>

#include "sampler_exp.h"

namespace infernode {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kVectors = kSamplerBlock / kLanes;

__m256 minus_infinity() { return _mm256_set1_ps(-__builtin_inff()); }

__m256 exp_of(__m256 x) {
  using namespace sampler_exp;
  const __m256 in_range = _mm256_cmp_ps(x, _mm256_set1_ps(kExpLowest), _CMP_GE_OQ);
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(kLog2E)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(kLn2High), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(kLn2Low), r);
  __m256 q = _mm256_fmadd_ps(_mm256_set1_ps(kQ4), r, _mm256_set1_ps(kQ3));
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(kQ2));
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(kQ1));
  q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(kQ0));
  const __m256 mantissa =
      _mm256_add_ps(_mm256_fmadd_ps(_mm256_mul_ps(r, r), q, r), _mm256_set1_ps(1.0f));
  const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  const __m256 value =
      _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(mantissa), exponent));
  return _mm256_and_ps(value, in_range);
}

// The last, shorter block, filled up with -infinity.
void copy_tail(const float* logits, std::size_t rest, float* tail) {
  for (std::size_t i = 0; i < kSamplerBlock; i += kLanes) {
    _mm256_storeu_ps(tail + i, minus_infinity());
  }
  for (std::size_t i = 0; i < rest; ++i) tail[i] = logits[i];
}

float maximum_block(const float* logits, __m256& nans) {
  __m256 block = minus_infinity();
  for (std::size_t v = 0; v < kVectors; v += 2) {
    const __m256 first = _mm256_loadu_ps(logits + v * kLanes);
    const __m256 second = _mm256_loadu_ps(logits + (v + 1) * kLanes);
    nans = _mm256_or_ps(nans, _mm256_cmp_ps(first, second, _CMP_UNORD_Q));
    block = _mm256_max_ps(_mm256_max_ps(first, second), block);
  }
  __m128 half = _mm_max_ps(_mm256_castps256_ps128(block), _mm256_extractf128_ps(block, 1));
  half = _mm_max_ps(half, _mm_movehl_ps(half, half));
  half = _mm_max_ss(half, _mm_movehdup_ps(half));
  return _mm_cvtss_f32(half);
}

float maximum_avx2(const float* logits, std::size_t count, float* block_maximum) {
  float maximum = -__builtin_inff();
  __m256 nans = _mm256_setzero_ps();
  const std::size_t whole = count / kSamplerBlock;
  for (std::size_t block = 0; block < whole; ++block) {
    block_maximum[block] = maximum_block(logits + block * kSamplerBlock, nans);
    maximum = block_maximum[block] > maximum ? block_maximum[block] : maximum;
  }
  if (count % kSamplerBlock != 0) {
    float tail[kSamplerBlock];
    copy_tail(logits + whole * kSamplerBlock, count % kSamplerBlock, tail);
    block_maximum[whole] = maximum_block(tail, nans);
    maximum = block_maximum[whole] > maximum ? block_maximum[whole] : maximum;
  }
  return _mm256_movemask_ps(nans) != 0 ? __builtin_nanf("") : maximum;
}

// Adds the upper half to the lower until one is left: 16, 8, 4, 2, 1.
float fold_sum(__m256 lower, __m256 upper) {
  const __m256 lanes = _mm256_add_ps(lower, upper);
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  half = _mm_add_ss(half, _mm_movehdup_ps(half));
  return _mm_cvtss_f32(half);
}

float sum_exp_block(const float* logits, __m256 maximum, __m256 scale) {
  __m256 weights[kVectors];
  for (std::size_t v = 0; v < kVectors; ++v) {
    const __m256 logit = _mm256_loadu_ps(logits + v * kLanes);
    weights[v] = exp_of(_mm256_mul_ps(_mm256_sub_ps(logit, maximum), scale));
  }
  const __m256 lower =
      _mm256_add_ps(_mm256_add_ps(weights[0], weights[2]), _mm256_add_ps(weights[4], weights[6]));
  const __m256 upper =
      _mm256_add_ps(_mm256_add_ps(weights[1], weights[3]), _mm256_add_ps(weights[5], weights[7]));
  return fold_sum(lower, upper);
}

void sum_exp_avx2(const float* logits, std::size_t count, float maximum, float scale,
                  float* block_sum) {
  const __m256 maximums = _mm256_set1_ps(maximum);
  const __m256 scales = _mm256_set1_ps(scale);
  const std::size_t whole = count / kSamplerBlock;
  for (std::size_t block = 0; block < whole; ++block) {
    block_sum[block] = sum_exp_block(logits + block * kSamplerBlock, maximums, scales);
  }
  if (count % kSamplerBlock == 0) return;
  float tail[kSamplerBlock];
  copy_tail(logits + whole * kSamplerBlock, count % kSamplerBlock, tail);
  block_sum[whole] = sum_exp_block(tail, maximums, scales);
}

void exp_avx2(const float* logits, std::size_t count, float maximum, float scale, float* weights) {
  const __m256 maximums = _mm256_set1_ps(maximum);
  const __m256 scales = _mm256_set1_ps(scale);
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const __m256 logit = _mm256_loadu_ps(logits + i);
    _mm256_storeu_ps(weights + i, exp_of(_mm256_mul_ps(_mm256_sub_ps(logit, maximums), scales)));
  }
  if (i == count) return;
  float tail[kSamplerBlock];
  copy_tail(logits + i, count - i, tail);
  const __m256 logit = _mm256_loadu_ps(tail);
  _mm256_storeu_ps(tail, exp_of(_mm256_mul_ps(_mm256_sub_ps(logit, maximums), scales)));
  for (std::size_t j = 0; i + j < count; ++j) weights[i + j] = tail[j];
}

// For each mask of 8 lanes the lanes that are set, first ones first.
struct CompressOrder {
  alignas(32) int lanes[256][kLanes];
  constexpr CompressOrder() : lanes{} {
    for (int mask = 0; mask < 256; ++mask) {
      int used = 0;
      for (int lane = 0; lane < 8; ++lane) {
        if ((mask >> lane & 1) != 0) lanes[mask][used++] = lane;
      }
    }
  }
};
constexpr CompressOrder kCompressOrder;

// Stores the lanes of the mask, first ones first, and returns how many.
std::size_t compress(__m256 values, __m256i ids, int mask, float* to_values, TokenId* to_ids) {
  const __m256i order =
      _mm256_load_si256(reinterpret_cast<const __m256i*>(kCompressOrder.lanes[mask]));
  _mm256_storeu_ps(to_values, _mm256_permutevar8x32_ps(values, order));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to_ids), _mm256_permutevar8x32_epi32(ids, order));
  return static_cast<std::size_t>(__builtin_popcount(static_cast<unsigned>(mask)));
}

// Appends one block's logits in [lowest, end); its first index is `first`.
std::size_t collect_block(const float* logits, std::size_t first, __m256 lowest, __m256 end,
                          TokenId* indices, float* values) {
  std::size_t found = 0;
  __m256i ids = _mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(first)),
                                 _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  for (std::size_t v = 0; v < kVectors; ++v) {
    const __m256 logit = _mm256_loadu_ps(logits + v * kLanes);
    const int mask = _mm256_movemask_ps(_mm256_and_ps(_mm256_cmp_ps(logit, lowest, _CMP_GE_OQ),
                                                      _mm256_cmp_ps(logit, end, _CMP_LT_OQ)));
    if (mask != 0) found += compress(logit, ids, mask, values + found, indices + found);
    ids = _mm256_add_epi32(ids, _mm256_set1_epi32(static_cast<int>(kLanes)));
  }
  return found;
}

std::size_t collect_avx2(const float* logits, std::size_t count, const float* block_maximum,
                         float lowest, float end, TokenId* indices, float* values) {
  const __m256 lowests = _mm256_set1_ps(lowest);
  const __m256 ends = _mm256_set1_ps(end);
  std::size_t found = 0;
  for (std::size_t first = 0; first < count; first += kSamplerBlock) {
    if (block_maximum != nullptr && !(block_maximum[first / kSamplerBlock] >= lowest)) continue;
    const float* block = logits + first;
    float tail[kSamplerBlock];
    if (first + kSamplerBlock > count) {
      copy_tail(block, count - first, tail);
      block = tail;
    }
    found += collect_block(block, first, lowests, ends, indices + found, values + found);
  }
  return found;
}

// 16 lanes of sums.
struct Lanes {
  __m256 lower;
  __m256 upper;
};

// The four terms of one lane: every second vector of the block.
__m256 add_every_second(const float* logits, const float* weights, __m256 lowest) {
  __m256 terms[kVectors / 2];
  for (std::size_t v = 0; v < kVectors / 2; ++v) {
    const __m256 logit = _mm256_loadu_ps(logits + 2 * v * kLanes);
    terms[v] = _mm256_and_ps(_mm256_cmp_ps(logit, lowest, _CMP_GE_OQ),
                             _mm256_loadu_ps(weights + 2 * v * kLanes));
  }
  return _mm256_add_ps(_mm256_add_ps(terms[0], terms[1]), _mm256_add_ps(terms[2], terms[3]));
}

void add_block(const float* logits, const float* weights, __m256 lowest, Lanes& lanes) {
  lanes.lower = _mm256_add_ps(lanes.lower, add_every_second(logits, weights, lowest));
  lanes.upper =
      _mm256_add_ps(lanes.upper, add_every_second(logits + kLanes, weights + kLanes, lowest));
}

double mass_from_avx2(const float* logits, const float* weights, std::size_t count, float lowest) {
  const __m256 lowests = _mm256_set1_ps(lowest);
  double mass = 0;
  for (std::size_t first = 0; first < count; first += kMassChunk) {
    const std::size_t last = first + kMassChunk < count ? first + kMassChunk : count;
    Lanes lanes{_mm256_setzero_ps(), _mm256_setzero_ps()};
    std::size_t i = first;
    for (; i + kSamplerBlock <= last; i += kSamplerBlock) {
      add_block(logits + i, weights + i, lowests, lanes);
    }
    if (i < last) {
      float tail_logits[kSamplerBlock];
      float tail_weights[kSamplerBlock];
      copy_tail(logits + i, last - i, tail_logits);
      copy_tail(weights + i, last - i, tail_weights);
      add_block(tail_logits, tail_weights, lowests, lanes);
    }
    mass += static_cast<double>(fold_sum(lanes.lower, lanes.upper));
  }
  return mass;
}

// A store never reaches past the vector that was just read.
std::size_t keep_from_avx2(float* logits, TokenId* tokens, std::size_t count, float lowest) {
  const __m256 lowests = _mm256_set1_ps(lowest);
  std::size_t kept = 0;
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const __m256 logit = _mm256_loadu_ps(logits + i);
    const __m256i token = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tokens + i));
    const int mask = _mm256_movemask_ps(_mm256_cmp_ps(logit, lowests, _CMP_GE_OQ));
    kept += compress(logit, token, mask, logits + kept, tokens + kept);
  }
  for (; i < count; ++i) {
    const float logit = logits[i];
    logits[kept] = logit;
    tokens[kept] = tokens[i];
    kept += logit >= lowest ? 1 : 0;
  }
  return kept;
}

constexpr SamplerKernels kAvx2{"avx2",       maximum_avx2,   sum_exp_avx2,  exp_avx2,
                               collect_avx2, mass_from_avx2, keep_from_avx2};

}  // namespace

const SamplerKernels* avx2_sampler_kernels() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kAvx2 : nullptr;
}

}  // namespace infernode

#else

namespace infernode {
const SamplerKernels* avx2_sampler_kernels() { return nullptr; }
}  // namespace infernode

#endif
#endif
