// Keeps the most likely candidates whose weights reach a given sum: top_p with probabilities, top_k
// with a weight of 1 each. Bisection with a vector loop instead of a sort: each pass over the
// candidates halves the range of logits that contains the threshold, until few enough are left to
// sort.
// Internal to the sampler. Works on the caller's scratch only.
#pragma once

#include <cstddef>

#include "sampler_kernels.h"
#include "sampler_scratch.h"

namespace infernode {

// The candidates are the first `count` of the scratch, with weights; logits
// are finite and in [lowest, highest]. Keeps, in place and in order, the
// smallest set of largest candidates whose weights sum to >= target, at least
// one; of equal candidates the first ones. Keeps all when rounding leaves the
// whole sum short of the target. Returns how many. Weights are not moved.
std::size_t keep_mass(const SamplerKernels& kernels, SamplerScratch& scratch, std::size_t count,
                      float lowest, float highest, double target);

}  // namespace infernode
