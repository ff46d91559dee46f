// A sampler as a textbook has it, to compare ours with: double precision, a
// full sort, no shortcuts. And random rows and parameters to compare them on.
// Values only; any thread may use them.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/sampling/sampler.h"

namespace infernode {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Entry {
  TokenId token;
  double logit;
  double probability;
};

inline void softmax(std::vector<Entry>& entries) {
  const double maximum = entries.front().logit;
  double total = 0;
  for (Entry& entry : entries) total += entry.probability = std::exp(entry.logit - maximum);
  for (Entry& entry : entries) entry.probability /= total;
}

// What the textbook says, most likely first, and how far the cumulative mass
// was from top_p where it was cut: a nearer cut may be rounded either way.
struct Textbook {
  std::vector<Entry> entries;
  double top_p_margin = 1;
  bool near_min_p = false;
};

// `window` holds the last tokens, of which the last `generated` (at most) are not
// the prompt's.
inline Textbook textbook(std::vector<float> row, const SamplingParams& params,
                         const std::vector<TokenId>& window, std::size_t generated) {
  for (const LogitBias& bias : params.logit_bias) {
    row[static_cast<std::size_t>(bias.token)] += bias.bias;
  }
  std::map<TokenId, int> generated_counts;
  for (std::size_t i = 0; i < window.size(); ++i)
    generated_counts[window[i]] += i + generated >= window.size() ? 1 : 0;
  for (const auto& [token, count] : generated_counts) {
    float& logit = row[static_cast<std::size_t>(token)];
    logit = logit <= 0 ? logit * params.repeat_penalty : logit / params.repeat_penalty;
    if (count == 0) continue;
    logit -= static_cast<float>(count) * params.frequency_penalty + params.presence_penalty;
  }
  Textbook result;
  std::vector<Entry>& entries = result.entries;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] > -kInfinity) entries.push_back({static_cast<TokenId>(i), row[i], 0});
  }
  std::ranges::stable_sort(entries, std::greater<>(), &Entry::logit);
  if (params.temperature <= 0) {
    entries.resize(1);
    entries[0].probability = 1;
    return result;
  }
  if (params.top_k > 0 && entries.size() > static_cast<std::size_t>(params.top_k)) {
    entries.resize(static_cast<std::size_t>(params.top_k));
  }
  if (params.top_p < 1) {
    softmax(entries);
    double mass = 0;
    std::size_t kept = 0;
    while (kept < entries.size()) {
      mass += entries[kept++].probability;
      result.top_p_margin = std::min(result.top_p_margin, std::abs(mass - params.top_p));
      if (mass >= params.top_p) break;
    }
    entries.resize(kept);
  }
  if (params.min_p > 0) {
    const double lowest = entries[0].logit + std::log(params.min_p);
    std::erase_if(entries, [&](const Entry& entry) {
      result.near_min_p |= std::abs(entry.logit - lowest) < 1e-5;
      return entry.logit < lowest;
    });
  }
  for (Entry& entry : entries) entry.logit /= params.temperature;
  softmax(entries);
  return result;
}

inline std::vector<float> random_row(std::mt19937& random, std::size_t size) {
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> kind(0, 5);
  const float spreads[] = {0.05f, 1, 3, 8};
  const float spread = spreads[random() % 4];
  const int shape = kind(random);
  std::vector<float> row(size);
  for (float& logit : row) {
    logit = spread * normal(random);
    if (shape == 1) logit = std::round(logit);                // many ties
    if (shape == 2 && random() % 3 == 0) logit = -kInfinity;  // forbidden tokens
    if (shape == 3) logit = 2.5f;                             // all equal
    if (shape == 4) logit -= 40;                              // all negative
  }
  if (shape == 5) {
    for (int i = 0; i < 5; ++i) row[random() % size] = 4 * spread + normal(random);
  }
  row[random() % size] = 1.0f;  // at least one finite
  return row;
}

template <typename Value>
Value pick(std::mt19937& random, std::initializer_list<Value> values) {
  return values.begin()[random() % values.size()];
}

inline SamplingParams random_params(std::mt19937& random, std::size_t size) {
  SamplingParams params;
  params.temperature = pick(random, {0.0f, 0.3f, 0.7f, 1.0f, 1.0f, 1.5f});
  params.top_k = pick<std::int32_t>(random, {0, 0, 0, 1, 2, 40, 40, 700, 1 << 20});
  params.top_p = pick(random, {0.0f, 0.1f, 0.5f, 0.9f, 0.95f, 0.95f, 0.999f, 1.0f, 1.0f});
  params.min_p = pick(random, {0.0f, 0.0f, 0.0f, 0.05f, 0.5f, 1.0f});
  params.repeat_penalty = pick(random, {1.0f, 1.0f, 1.3f, 0.8f});
  params.frequency_penalty = pick(random, {0.0f, 0.0f, 0.7f, -0.4f});
  params.presence_penalty = pick(random, {0.0f, 0.0f, 0.9f});
  params.penalty_window = pick<std::int32_t>(random, {64, 3, 0, -1});
  const int biases = pick(random, {0, 0, 3});
  for (int i = 0; i < biases; ++i) {
    params.logit_bias.push_back(
        {static_cast<TokenId>(random() % size), pick(random, {2.0f, -3.0f, 5.5f})});
  }
  return params;
}

inline std::vector<TokenId> window_of(const std::vector<TokenId>& known, std::int32_t window) {
  const std::size_t kept =
      window < 0 ? known.size() : std::min(known.size(), static_cast<std::size_t>(window));
  return {known.end() - static_cast<std::ptrdiff_t>(kept), known.end()};
}

inline std::string describe(const SamplingParams& params, std::size_t size) {
  return "size " + std::to_string(size) + " temperature " + std::to_string(params.temperature) +
         " top_k " + std::to_string(params.top_k) + " top_p " + std::to_string(params.top_p) +
         " min_p " + std::to_string(params.min_p);
}

// True when the sampler's candidates are the textbook's.
inline bool agrees(const std::vector<Candidate>& candidates, Textbook expected) {
  std::ranges::sort(expected.entries, {}, &Entry::token);
  std::erase_if(expected.entries, [](const Entry& entry) { return entry.probability < 1e-30; });
  std::vector<Candidate> likely = candidates;
  std::erase_if(likely, [](const Candidate& entry) { return entry.probability < 1e-30f; });
  if (likely.size() != expected.entries.size()) return false;
  for (std::size_t i = 0; i < likely.size(); ++i) {
    if (likely[i].token != expected.entries[i].token) return false;
    const double probability = expected.entries[i].probability;
    if (std::abs(likely[i].probability - probability) > 2e-5 * probability + 1e-9) return false;
  }
  return true;
}

}  // namespace infernode
