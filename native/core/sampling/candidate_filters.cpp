// In double precision over a list: these filters are rare, so their speed matters less. Candidates
// are taken from a heap in order of their score, so that keeping few of many costs little more than
// one look at all.
#include "candidate_filters.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace infernode {
namespace {

using Candidates = std::vector<ScoredCandidate>;

constexpr float kXtcMost = 0.5f;  // above it, at most one token reaches the threshold

float highest_logit(const Candidates& candidates) {
  return std::ranges::max(candidates, {}, &ScoredCandidate::logit).logit;
}

void softmax(Candidates& candidates, double temperature) {
  const double highest = highest_logit(candidates);
  double total = 0;
  for (ScoredCandidate& candidate : candidates) {
    candidate.weight = std::exp((candidate.logit - highest) / temperature);
    total += candidate.weight;
  }
  for (ScoredCandidate& candidate : candidates) candidate.weight /= total;
}

// In nats; of weights that sum to 1.
double entropy(const Candidates& candidates) {
  double sum = 0;
  for (const ScoredCandidate& candidate : candidates) {
    if (candidate.weight > 0) sum -= candidate.weight * std::log(candidate.weight);
  }
  return sum;
}

// Keeps candidates in the order `before` until `enough` is true for their weight.
template <typename Before, typename Enough>
void keep_first(Candidates& candidates, const Before& before, const Enough& enough) {
  const auto later = [&](const ScoredCandidate& a, const ScoredCandidate& b) {
    return before(b, a);
  };
  std::ranges::make_heap(candidates, later);
  double kept = 0;
  auto end = candidates.end();
  while (end != candidates.begin()) {
    std::pop_heap(candidates.begin(), end, later);
    kept += (--end)->weight;
    if (enough(kept)) break;
  }
  candidates.erase(candidates.begin(), end);
}

}  // namespace

CandidateFilters::CandidateFilters(const SamplingParams& params)
    : temperature_(params.temperature),
      top_p_(params.top_p),
      min_p_(params.min_p),
      typical_p_(params.typical_p),
      top_n_sigma_(params.top_n_sigma),
      xtc_probability_(params.xtc_threshold > kXtcMost ? 0.0f : params.xtc_probability),
      xtc_threshold_(params.xtc_threshold),
      dynatemp_range_(params.mirostat ? 0.0f : params.dynatemp_range),
      dynatemp_exponent_(params.dynatemp_exponent),
      mirostat_(params.mirostat),
      mirostat_tau_(params.mirostat_tau),
      mirostat_eta_(params.mirostat_eta),
      mirostat_mu_(2.0 * double{params.mirostat_tau}) {}

float CandidateFilters::lowest_logit(std::span<const float> row, float maximum) const {
  constexpr float kAll = -std::numeric_limits<float>::infinity();
  if (!(top_n_sigma_ > 0) || mirostat_) return kAll;
  double sum = 0;
  double squares = 0;
  double count = 0;
  // Relative to the maximum, so that the squares stay small.
  for (const float logit : row) {
    if (logit == kAll) continue;
    const double below = double{logit} - maximum;
    sum += below;
    squares += below * below;
    ++count;
  }
  const double mean = sum / count;
  const double deviation = std::sqrt(std::max(squares / count - mean * mean, 0.0));
  return static_cast<float>(maximum - double{top_n_sigma_} * deviation);
}

void CandidateFilters::narrow(Candidates& candidates) const {
  if (mirostat_) return keep_unsurprising(candidates);
  if (typical_p_ < 1) keep_typical(candidates);
  if (top_p_ < 1) keep_top_p(candidates);
  if (min_p_ > 0) keep_min_p(candidates);
}

// Keeps the candidates whose surprise is nearest to the expected one.
void CandidateFilters::keep_typical(Candidates& candidates) const {
  softmax(candidates, 1.0);
  const double expected = entropy(candidates);
  const auto distance = [&](const ScoredCandidate& candidate) {
    return std::abs(-std::log(candidate.weight) - expected);
  };
  keep_first(
      candidates,
      [&](const ScoredCandidate& a, const ScoredCandidate& b) {
        const double one = distance(a);
        const double other = distance(b);
        return one != other ? one < other : a.token < b.token;
      },
      [&](double kept) { return kept > double{typical_p_}; });
}

void CandidateFilters::keep_top_p(Candidates& candidates) const {
  softmax(candidates, 1.0);
  keep_first(
      candidates,
      [](const ScoredCandidate& a, const ScoredCandidate& b) {
        return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
      },
      [&](double kept) { return kept >= double{top_p_}; });
}

void CandidateFilters::keep_min_p(Candidates& candidates) const {
  const float lowest = highest_logit(candidates) + std::log(std::min(min_p_, 1.0f));
  std::erase_if(candidates,
                [&](const ScoredCandidate& candidate) { return candidate.logit < lowest; });
}

void CandidateFilters::keep_unsurprising(Candidates& candidates) const {
  softmax(candidates, temperature_);
  const auto likeliest = *std::ranges::max_element(candidates, {}, &ScoredCandidate::logit);
  std::erase_if(candidates, [&](const ScoredCandidate& candidate) {
    return -std::log2(candidate.weight) > mirostat_mu_;
  });
  if (candidates.empty()) candidates.push_back(likeliest);
}

// Of the candidates at or above the threshold, only the least likely stays.
void CandidateFilters::exclude_top_choices(Candidates& candidates) const {
  softmax(candidates, 1.0);
  const auto top = [&](const ScoredCandidate& candidate) {
    return candidate.weight >= double{xtc_threshold_};
  };
  const ScoredCandidate* spared = nullptr;
  for (const ScoredCandidate& candidate : candidates) {
    if (top(candidate) && (spared == nullptr || candidate.logit <= spared->logit))
      spared = &candidate;
  }
  if (spared == nullptr) return;
  const TokenId kept = spared->token;
  std::erase_if(candidates, [&](const ScoredCandidate& candidate) {
    return top(candidate) && candidate.token != kept;
  });
}

// The temperature between temperature - range and temperature + range, by the entropy of the
// candidates.
double CandidateFilters::temperature_for(Candidates& candidates) const {
  if (!(dynatemp_range_ > 0) || candidates.size() < 2) return temperature_;
  softmax(candidates, 1.0);
  const double undecided = entropy(candidates) / std::log(static_cast<double>(candidates.size()));
  const double lowest = std::max(0.0, double{temperature_} - double{dynatemp_range_});
  const double highest = double{temperature_} + double{dynatemp_range_};
  return lowest + (highest - lowest) * std::pow(undecided, double{dynatemp_exponent_});
}

void CandidateFilters::weigh(Candidates& candidates, double chance) const {
  const bool excludes = draws_chance() && candidates.size() > 1;
  if (excludes && chance <= double{xtc_probability_}) exclude_top_choices(candidates);
  const double temperature = temperature_for(candidates);
  // Below it the likeliest has all the weight anyway.
  softmax(candidates, std::max(temperature, 1e-6));
}

void CandidateFilters::drawn(double probability) {
  if (!mirostat_) return;
  const double surprise = -std::log2(std::max(probability, 1e-30));
  mirostat_mu_ -= double{mirostat_eta_} * (surprise - double{mirostat_tau_});
}

}  // namespace infernode
