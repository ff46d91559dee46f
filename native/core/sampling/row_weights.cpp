#include "row_weights.h"

#include <algorithm>
#include <array>

namespace infernode {

namespace {

// In shorter rows than four times this, no threshold is guessed from a sample.
constexpr std::size_t kSampleSize = 2048;
constexpr std::size_t kSampleBuckets = 128;
// The guessed threshold drops this share of the tail that top_p drops: more
// leaves fewer candidates but makes the guess fail more often.
constexpr double kTailShare = 0.6;

}  // namespace

double sum_of(std::span<const float> terms) {
  std::array<double, 8> lanes{};  // independent, so the additions overlap
  std::size_t i = 0;
  for (; i + lanes.size() <= terms.size(); i += lanes.size()) {
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) lanes[lane] += terms[i + lane];
  }
  double sum = 0;
  for (; i < terms.size(); ++i) sum += terms[i];
  for (const double lane : lanes) sum += lane;
  return sum;
}

float guess_threshold(const SamplerKernels& kernels, std::span<const float> row, float maximum,
                      float lowest, double tail, SamplerScratch& scratch) {
  const std::size_t stride = row.size() / kSampleSize;
  if (stride < 4 || !(lowest < maximum)) return lowest;
  for (std::size_t i = 0; i < kSampleSize; ++i) scratch.logits[i] = row[i * stride];
  kernels.exp(scratch.logits.data(), kSampleSize, maximum, 1.0f, scratch.weights.data());

  const float width = (maximum - lowest) / kSampleBuckets;
  std::array<float, kSampleBuckets> mass{};
  for (std::size_t i = 0; i < kSampleSize; ++i) {
    const float above = std::max(scratch.logits[i] - lowest, 0.0f) / width;
    mass[std::min(static_cast<std::size_t>(above), kSampleBuckets - 1)] += scratch.weights[i];
  }
  const double limit = kTailShare * tail / static_cast<double>(stride);
  double below = 0;
  std::size_t bucket = 0;
  while (bucket + 1 < kSampleBuckets && below + mass[bucket] < limit) below += mass[bucket++];
  return lowest + width * static_cast<float>(bucket);
}

double sum_exp(const SamplerKernels& kernels, std::span<const float> logits, float maximum,
               float scale, SamplerScratch& scratch) {
  kernels.sum_exp(logits.data(), logits.size(), maximum, scale, scratch.block_sum.data());
  return sum_of({scratch.block_sum.data(), sampler_blocks(logits.size())});
}

// First the block, then the place in it. Rounding may carry the walk past the end of the block or
// of the row; then the last entry that weighs anything is taken.
std::size_t draw_index(const SamplerKernels& kernels, std::span<const float> logits, float maximum,
                       float scale, double random, SamplerScratch& scratch) {
  const double target = random * sum_exp(kernels, logits, maximum, scale, scratch);
  double running = 0;
  std::size_t block = 0;
  double before = 0;
  for (std::size_t i = 0; i < sampler_blocks(logits.size()); ++i) {
    if (!(scratch.block_sum[i] > 0)) continue;
    block = i;
    before = running;
    running += scratch.block_sum[i];
    if (running > target) break;
  }
  const std::size_t begin = block * kSamplerBlock;
  const std::size_t count = std::min(kSamplerBlock, logits.size() - begin);
  std::array<float, kSamplerBlock> weights;
  kernels.exp(logits.data() + begin, count, maximum, scale, weights.data());
  running = before;
  std::size_t chosen = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!(weights[i] > 0)) continue;
    chosen = i;
    running += weights[i];
    if (running > target) break;
  }
  return begin + chosen;
}

}  // namespace infernode
