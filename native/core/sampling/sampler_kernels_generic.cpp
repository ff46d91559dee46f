// The sampler's loops in plain C++, for every architecture, and the choice
// between the kernel sets. The loops work on 16 lanes in the order in which
// the vector kernels do, so that results differ only where a fused
// multiply-add rounds differently.
#include "sampler_kernels.h"

#include <bit>
#include <cstdint>
#include <limits>

#include "sampler_exp.h"

namespace infernode {
namespace {

constexpr std::size_t kLanes = 16;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The value where the condition holds, else 0. Without a branch, which would
// keep the compiler from working on several lanes at once.
float only_if(bool condition, float value) {
  const std::uint32_t mask = 0u - static_cast<std::uint32_t>(condition);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & mask);
}

float exp_of(float x) {
  using namespace sampler_exp;
  // Adding 1.5 * 2^23 rounds to an integer that sits in the low mantissa bits.
  constexpr float kRounder = 0x1.8p23f;
  const float rounded = x * kLog2E + kRounder;
  const float n = rounded - kRounder;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  const float q = (((kQ4 * r + kQ3) * r + kQ2) * r + kQ1) * r + kQ0;
  const float mantissa = ((r * r) * q + r) + 1.0f;
  const std::uint32_t exponent = std::bit_cast<std::uint32_t>(rounded) << 23;
  const float value = std::bit_cast<float>(std::bit_cast<std::uint32_t>(mantissa) + exponent);
  return only_if(x >= kExpLowest, value);
}

// Adds the upper half to the lower until one is left: 16, 8, 4, 2, 1.
float fold_sum(float* lanes) {
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

float sum_exp_block(const float* logits, float maximum, float scale) {
  float lanes[kLanes];
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const float first = exp_of((logits[lane] - maximum) * scale);
    const float second = exp_of((logits[lane + kLanes] - maximum) * scale);
    const float third = exp_of((logits[lane + 2 * kLanes] - maximum) * scale);
    const float fourth = exp_of((logits[lane + 3 * kLanes] - maximum) * scale);
    lanes[lane] = (first + second) + (third + fourth);
  }
  return fold_sum(lanes);
}

// The last, shorter block, filled up with -infinity.
void copy_tail(const float* logits, std::size_t rest, float* tail) {
  for (std::size_t i = 0; i < kSamplerBlock; ++i) tail[i] = i < rest ? logits[i] : -kInfinity;
}

float maximum_block(const float* logits, std::uint32_t* nans) {
  float lanes[kLanes];
  for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = logits[lane];
  for (std::size_t i = 0; i < kSamplerBlock; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float logit = logits[i + lane];
      lanes[lane] = lanes[lane] > logit ? lanes[lane] : logit;
      nans[lane] |= static_cast<std::uint32_t>(logit != logit);
    }
  }
  float maximum = lanes[0];
  for (const float lane : lanes) maximum = lane > maximum ? lane : maximum;
  return maximum;
}

float maximum_generic(const float* logits, std::size_t count, float* block_maximum) {
  float maximum = -kInfinity;
  std::uint32_t nans[kLanes] = {};
  for (std::size_t first = 0; first < count; first += kSamplerBlock) {
    const float* block = logits + first;
    float tail[kSamplerBlock];
    if (first + kSamplerBlock > count) {
      copy_tail(block, count - first, tail);
      block = tail;
    }
    const float of_block = maximum_block(block, nans);
    block_maximum[first / kSamplerBlock] = of_block;
    maximum = of_block > maximum ? of_block : maximum;
  }
  for (const std::uint32_t nan : nans) {
    if (nan != 0) return std::numeric_limits<float>::quiet_NaN();
  }
  return maximum;
}

void sum_exp_generic(const float* logits, std::size_t count, float maximum, float scale,
                     float* block_sum) {
  for (std::size_t first = 0; first < count; first += kSamplerBlock) {
    const float* block = logits + first;
    float tail[kSamplerBlock];
    if (first + kSamplerBlock > count) {
      copy_tail(block, count - first, tail);
      block = tail;
    }
    block_sum[first / kSamplerBlock] = sum_exp_block(block, maximum, scale);
  }
}

void exp_generic(const float* logits, std::size_t count, float maximum, float scale,
                 float* weights) {
  for (std::size_t i = 0; i < count; ++i) weights[i] = exp_of((logits[i] - maximum) * scale);
}

std::size_t collect_generic(const float* logits, std::size_t count, const float* block_maximum,
                            float lowest, float end, TokenId* indices, float* values) {
  std::size_t found = 0;
  for (std::size_t first = 0; first < count; first += kSamplerBlock) {
    if (block_maximum != nullptr && !(block_maximum[first / kSamplerBlock] >= lowest)) continue;
    const std::size_t last = first + kSamplerBlock < count ? first + kSamplerBlock : count;
    for (std::size_t i = first; i < last; ++i) {
      indices[found] = static_cast<TokenId>(i);
      values[found] = logits[i];
      found += logits[i] >= lowest && logits[i] < end ? 1 : 0;
    }
  }
  return found;
}

// One block's weights, added into 16 lanes.
void add_block(const float* logits, const float* weights, float lowest, float* lanes) {
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const float first = only_if(logits[lane] >= lowest, weights[lane]);
    const std::size_t second_at = lane + kLanes;
    const float second = only_if(logits[second_at] >= lowest, weights[second_at]);
    const std::size_t third_at = lane + 2 * kLanes;
    const float third = only_if(logits[third_at] >= lowest, weights[third_at]);
    const std::size_t fourth_at = lane + 3 * kLanes;
    const float fourth = only_if(logits[fourth_at] >= lowest, weights[fourth_at]);
    lanes[lane] += (first + second) + (third + fourth);
  }
}

double mass_from_generic(const float* logits, const float* weights, std::size_t count,
                         float lowest) {
  double mass = 0;
  for (std::size_t first = 0; first < count; first += kMassChunk) {
    const std::size_t last = first + kMassChunk < count ? first + kMassChunk : count;
    float lanes[kLanes] = {};
    std::size_t i = first;
    for (; i + kSamplerBlock <= last; i += kSamplerBlock) {
      add_block(logits + i, weights + i, lowest, lanes);
    }
    if (i < last) {
      float tail_logits[kSamplerBlock];
      float tail_weights[kSamplerBlock];
      copy_tail(logits + i, last - i, tail_logits);
      copy_tail(weights + i, last - i, tail_weights);
      add_block(tail_logits, tail_weights, lowest, lanes);
    }
    mass += static_cast<double>(fold_sum(lanes));
  }
  return mass;
}

std::size_t keep_from_generic(float* logits, TokenId* tokens, std::size_t count, float lowest) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float logit = logits[i];
    logits[kept] = logit;
    tokens[kept] = tokens[i];
    kept += logit >= lowest ? 1 : 0;
  }
  return kept;
}

constexpr SamplerKernels kGeneric{"generic",       maximum_generic,   sum_exp_generic,  exp_generic,
                                  collect_generic, mass_from_generic, keep_from_generic};

}  // namespace

const SamplerKernels& generic_sampler_kernels() { return kGeneric; }

#if !defined(__x86_64__)
const SamplerKernels* avx2_sampler_kernels() { return nullptr; }
const SamplerKernels* avx512_sampler_kernels() { return nullptr; }
#endif

const SamplerKernels& best_sampler_kernels() {
  static const SamplerKernels& best = []() -> const SamplerKernels& {
    if (const SamplerKernels* kernels = avx512_sampler_kernels()) return *kernels;
    if (const SamplerKernels* kernels = avx2_sampler_kernels()) return *kernels;
    return kGeneric;
  }();
  return best;
}

}  // namespace infernode
