// How the candidates are found without sorting the vocabulary. One pass gives
// the maximum of the row and of each block of 64 logits. top_k takes its
// threshold from the block maxima; top_p sums the exponentials in a second
// pass, guesses a threshold from a sample of the row and verifies it; min_p is
// a threshold already. What passes the threshold is few, and keep_mass() ends
// the choice. Nothing here is shared between threads.
#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "candidate_cut.h"
#include "row_weights.h"

namespace infernode {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLowestLogit = std::numeric_limits<float>::lowest();

TokenId first_equal(std::span<const float> row, float maximum,
                    std::span<const float> block_maximum) {
  const auto block = std::ranges::find(block_maximum, maximum) - block_maximum.begin();
  const auto begin = row.begin() + block * static_cast<std::ptrdiff_t>(kSamplerBlock);
  return static_cast<TokenId>(std::find(begin, row.end(), maximum) - row.begin());
}

}  // namespace

Sampler::Sampler(const SamplingParams& params, std::int32_t vocabulary_size,
                 const SamplerKernels& kernels)
    : kernels_(&kernels),
      vocabulary_size_(static_cast<std::size_t>(std::max(vocabulary_size, 0))),
      most_likely_(!(params.temperature > 0)),
      scale_(most_likely_ ? 1.0f
                          : std::min(1.0f / params.temperature, std::numeric_limits<float>::max())),
      top_k_(params.top_k > 0 && params.top_k < vocabulary_size
                 ? static_cast<std::size_t>(params.top_k)
                 : 0),
      top_p_(params.top_p),
      has_min_p_(params.min_p > 0),
      min_p_logit_(has_min_p_ ? std::log(std::min(params.min_p, 1.0f)) : 0.0f),
      logit_bias_(params.logit_bias),
      penalties_(params),
      dry_(params),
      filters_(params),
      random_(params.seed) {}

TokenId Sampler::sample(std::span<float> logits, SamplerScratch& scratch) {
  if (filters_.active() && !most_likely_) return sample_filtered(logits, scratch);
  const Selection selection = select(logits, scratch);
  if (selection.choice == Choice::kNone) return kNoToken;
  if (most_likely_) return selection.token;
  const double random = random_.uniform();
  if (selection.choice == Choice::kOne) return selection.token;
  if (selection.choice == Choice::kRow) {
    return static_cast<TokenId>(
        draw_index(*kernels_, logits, selection.maximum, scale_, random, scratch));
  }
  const std::span<const float> candidates(scratch.logits.data(), selection.count);
  return scratch
      .tokens[draw_index(*kernels_, candidates, selection.maximum, scale_, random, scratch)];
}

void Sampler::distribution(std::span<float> logits, SamplerScratch& scratch,
                           std::vector<Candidate>& out) const {
  out.clear();
  if (filters_.active() && !most_likely_) {
    if (!gather(logits, scratch)) return;
    filters_.weigh(scratch.scored, 0);
    for (const ScoredCandidate& candidate : scratch.scored)
      out.push_back({candidate.token, static_cast<float>(candidate.weight)});
    std::ranges::sort(out, {}, &Candidate::token);
    return;
  }
  const Selection selection = select(logits, scratch);
  if (selection.choice == Choice::kNone) return;
  if (selection.choice == Choice::kOne) {
    out.push_back({selection.token, 1.0f});
    return;
  }
  const bool whole_row = selection.choice == Choice::kRow;
  const std::size_t count = whole_row ? logits.size() : selection.count;
  const float* values = whole_row ? logits.data() : scratch.logits.data();
  kernels_->exp(values, count, selection.maximum, scale_, scratch.weights.data());
  const double total = sum_of({scratch.weights.data(), count});
  for (std::size_t i = 0; i < count; ++i) {
    if (!(scratch.weights[i] > 0)) continue;
    const TokenId token = whole_row ? static_cast<TokenId>(i) : scratch.tokens[i];
    out.push_back({token, static_cast<float>(scratch.weights[i] / total)});
  }
}

void Sampler::apply_bias(std::span<float> logits) const {
  for (const LogitBias& entry : logit_bias_) {
    const auto index = static_cast<std::size_t>(entry.token);
    if (entry.token >= 0 && index < logits.size()) logits[index] += entry.bias;
  }
}

// Collects the candidates for the rarely used filters and applies those that narrow them; false
// where none are left.
bool Sampler::gather(std::span<float> logits, SamplerScratch& scratch) const {
  scratch.scored.clear();
  std::size_t count = 0;
  if (filters_.narrows()) {
    const float maximum = prepare(logits, scratch);
    if (!std::isfinite(maximum)) return false;
    const float lowest = std::max(filters_.lowest_logit(logits, maximum), kLowestLogit);
    count = top_k_ > 0 ? collect_top_k(logits, maximum, scratch) : collect(logits, lowest, scratch);
    count = kernels_->keep_from(scratch.logits.data(), scratch.tokens.data(), count, lowest);
  } else {
    const Selection selection = select(logits, scratch);
    if (selection.choice == Choice::kNone) return false;
    count = selection.count;
    if (selection.choice == Choice::kOne) {
      scratch.scored.push_back({selection.token, selection.maximum, 1});
    } else if (selection.choice == Choice::kRow) {
      count = collect(logits, kLowestLogit, scratch);
    }
  }
  for (std::size_t i = 0; i < count; ++i)
    scratch.scored.push_back({scratch.tokens[i], scratch.logits[i], 0});
  if (filters_.narrows()) filters_.narrow(scratch.scored);
  return true;
}

TokenId Sampler::sample_filtered(std::span<float> logits, SamplerScratch& scratch) {
  if (!gather(logits, scratch)) return kNoToken;
  filters_.weigh(scratch.scored, filters_.draws_chance() ? random_.uniform() : 0);
  const double random = random_.uniform();
  const ScoredCandidate* chosen = nullptr;
  double running = 0;
  for (const ScoredCandidate& candidate : scratch.scored) {
    if (!(candidate.weight > 0)) continue;
    chosen = &candidate;
    running += candidate.weight;
    if (running > random) break;
  }
  INFERNODE_CHECK(chosen != nullptr, "the filters left a candidate with weight");
  filters_.drawn(chosen->weight);
  return chosen->token;
}

// Applies bias, penalties and DRY. Returns the row's maximum; the blocks' maxima are in the
// scratch.
float Sampler::prepare(std::span<float> logits, SamplerScratch& scratch) const {
  INFERNODE_CHECK(logits.size() == vocabulary_size_,
                  "a row of logits has as many entries as the vocabulary");
  scratch.fit(logits.size());
  apply_bias(logits);
  penalties_.apply(logits);
  dry_.apply(logits);
  return kernels_->maximum(logits.data(), logits.size(), scratch.block_maximum.data());
}

Sampler::Selection Sampler::select(std::span<float> logits, SamplerScratch& scratch) const {
  Selection selection;
  selection.maximum = prepare(logits, scratch);
  if (!std::isfinite(selection.maximum)) return selection;
  if (most_likely_ || top_k_ == 1 || !(top_p_ > 0)) {
    selection.choice = Choice::kOne;
    selection.token = first_equal(logits, selection.maximum, scratch.block_maximum);
    return selection;
  }

  const float min_p_threshold = selection.maximum + min_p_logit_;
  selection.choice = Choice::kCandidates;
  if (top_k_ > 0) {
    selection.count = collect_top_k(logits, selection.maximum, scratch);
    if (top_p_ < 1) {
      weigh(selection.count, selection.maximum, scratch);
      const double total = sum_of({scratch.weights.data(), selection.count});
      selection.count = keep_mass(*kernels_, scratch, selection.count, kLowestLogit,
                                  selection.maximum, total * double{top_p_});
    }
  } else if (top_p_ < 1) {
    selection.count = collect_top_p(logits, selection.maximum, scratch);
  } else if (has_min_p_) {
    selection.count = collect(logits, min_p_threshold, scratch);
    return selection;
  } else {
    selection.choice = Choice::kRow;
    return selection;
  }
  if (has_min_p_) {
    selection.count = kernels_->keep_from(scratch.logits.data(), scratch.tokens.data(),
                                          selection.count, min_p_threshold);
  }
  return selection;
}

std::size_t Sampler::collect(std::span<const float> row, float threshold,
                             SamplerScratch& scratch) const {
  return kernels_->collect(row.data(), row.size(), scratch.block_maximum.data(), threshold,
                           kInfinity, scratch.tokens.data(), scratch.logits.data());
}

// At least k logits are not below the k-th largest block maximum.
std::size_t Sampler::collect_top_k(std::span<const float> row, float maximum,
                                   SamplerScratch& scratch) const {
  const std::size_t blocks = sampler_blocks(row.size());
  float threshold = kLowestLogit;
  if (top_k_ < blocks) {
    const auto largest = scratch.weights.begin();
    std::copy_n(scratch.block_maximum.begin(), blocks, largest);
    const auto nth = largest + static_cast<std::ptrdiff_t>(top_k_ - 1);
    std::nth_element(largest, nth, largest + static_cast<std::ptrdiff_t>(blocks), std::greater<>());
    threshold = std::max(*nth, kLowestLogit);
  }
  const std::size_t count = collect(row, threshold, scratch);
  if (count <= top_k_) return count;
  std::fill_n(scratch.weights.begin(), count, 1.0f);
  return keep_mass(*kernels_, scratch, count, threshold, maximum, static_cast<double>(top_k_));
}

// All logits below `lowest` together weigh no more than top_p drops, so the
// cut lies above it. The guess is higher; it holds if what it collects weighs
// enough.
std::size_t Sampler::collect_top_p(std::span<const float> row, float maximum,
                                   SamplerScratch& scratch) const {
  const double total = sum_exp(*kernels_, row, maximum, 1.0f, scratch);
  const double target = total * double{top_p_};
  const double tail = total - target;
  const float lowest = std::max(
      maximum - static_cast<float>(std::log(static_cast<double>(row.size()) / tail)), kLowestLogit);
  float threshold = guess_threshold(*kernels_, row, maximum, lowest, tail, scratch);
  std::size_t count = collect(row, threshold, scratch);
  weigh(count, maximum, scratch);
  if (threshold > lowest && kernels_->mass_from(scratch.logits.data(), scratch.weights.data(),
                                                count, threshold) < target) {
    threshold = lowest;
    count = collect(row, threshold, scratch);
    weigh(count, maximum, scratch);
  }
  return keep_mass(*kernels_, scratch, count, threshold, maximum, target);
}

// top_p weighs candidates at temperature 1.
void Sampler::weigh(std::size_t count, float maximum, SamplerScratch& scratch) const {
  kernels_->exp(scratch.logits.data(), count, maximum, 1.0f, scratch.weights.data());
}

}  // namespace infernode
