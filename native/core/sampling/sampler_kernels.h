// The loops of the sampler that touch many logits, behind a table of function
// pointers: generic C++, AVX2 and AVX-512, chosen once per process by the
// CPU's instruction sets. Internal to the sampler and its tests.
// They touch nothing but their arguments: any thread may call them.
#pragma once

#include <cstddef>

#include "core/types.h"

namespace infernode {

// Rows are worked on in blocks of 64 logits; the last one may be shorter.
constexpr std::size_t kSamplerBlock = 64;

// mass_from() adds up this many weights in floats, then goes on in a double.
constexpr std::size_t kMassChunk = 1024;

constexpr std::size_t sampler_blocks(std::size_t count) {
  return (count + kSamplerBlock - 1) / kSamplerBlock;
}

// Whole vectors are stored: room needed behind the last entry of an output.
constexpr std::size_t kCollectPadding = 16;

struct SamplerKernels {
  const char* name;

  // Writes each block's maximum and returns the row's. NaN when any is NaN.
  float (*maximum)(const float* logits, std::size_t count, float* block_maximum);

  // Writes each block's sum of exp((logit - maximum) * scale). The logits are
  // not NaN and at most `maximum`; a term below 1.2e-37 counts as 0.
  void (*sum_exp)(const float* logits, std::size_t count, float maximum, float scale,
                  float* block_sum);

  // Writes exp((logit - maximum) * scale) for each, as sum_exp computes it.
  void (*exp)(const float* logits, std::size_t count, float maximum, float scale, float* weights);

  // Writes index and value of every logit in [lowest, end), ascending, and
  // returns how many. Skips blocks whose maximum is below `lowest`; without
  // maxima (null) it looks at all. Writes kCollectPadding behind the last.
  std::size_t (*collect)(const float* logits, std::size_t count, const float* block_maximum,
                         float lowest, float end, TokenId* indices, float* values);

  // The sum of the weights whose logit is >= lowest.
  double (*mass_from)(const float* logits, const float* weights, std::size_t count, float lowest);

  // Keeps, in place and in order, the entries whose logit is >= lowest and
  // returns how many. The arrays have kCollectPadding of room at the end.
  std::size_t (*keep_from)(float* logits, TokenId* tokens, std::size_t count, float lowest);
};

const SamplerKernels& generic_sampler_kernels();

// Null where this build or this CPU has no such instructions.
const SamplerKernels* avx2_sampler_kernels();
const SamplerKernels* avx512_sampler_kernels();

const SamplerKernels& best_sampler_kernels();

}  // namespace infernode
