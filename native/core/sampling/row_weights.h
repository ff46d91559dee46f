// Weights of a row of logits, exp((logit - maximum) * scale): their sum, an estimate of the
// threshold below which a given weight lies, and the logit at which a random share of the sum is
// reached. Functions of their arguments; the scratch belongs to the calling thread.
#pragma once

#include <cstddef>
#include <span>

#include "sampler_kernels.h"
#include "sampler_scratch.h"

namespace infernode {

double sum_of(std::span<const float> terms);

// The sum of all weights. Leaves the sums of blocks in the scratch.
double sum_exp(const SamplerKernels& kernels, std::span<const float> logits, float maximum,
               float scale, SamplerScratch& scratch);

// A threshold between `lowest` and the maximum below which, judged by every n-th logit, most of the
// weight `tail` lies (scale 1).
float guess_threshold(const SamplerKernels& kernels, std::span<const float> row, float maximum,
                      float lowest, double tail, SamplerScratch& scratch);

// The index at which the running sum of weights passes random * sum. `random` is in [0, 1).
std::size_t draw_index(const SamplerKernels& kernels, std::span<const float> logits, float maximum,
                       float scale, double random, SamplerScratch& scratch);

}  // namespace infernode
