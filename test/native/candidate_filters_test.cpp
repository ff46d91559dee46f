// The rarer filters against llama.cpp's own on the same logits, draws against
// the distribution they are drawn from, and mirostat against its aim.
#include "core/sampling/candidate_filters.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "check.h"
#include "llama_samplers.h"

using namespace infernode;

namespace {

std::vector<float> random_logits(std::mt19937& random, std::size_t size) {
  const float spreads[] = {0.5f, 1.5f, 4.0f};
  std::normal_distribution<float> normal(0.0f, spreads[random() % 3]);
  std::vector<float> row(size);
  for (float& logit : row) logit = normal(random);
  return row;
}

std::vector<Candidate> ours(const SamplingParams& params, std::vector<float> row) {
  SamplerScratch scratch;
  std::vector<Candidate> left;
  Sampler(params, static_cast<std::int32_t>(row.size())).distribution(row, scratch, left);
  return left;
}

std::size_t outside(const std::vector<Candidate>& of, const std::vector<Candidate>& in) {
  return static_cast<std::size_t>(std::ranges::count_if(of, [&](const Candidate& candidate) {
    return !std::ranges::binary_search(in, candidate.token, {}, &Candidate::token);
  }));
}

// Sums in float and in double may put a candidate at the very edge on either
// side: one, or one in a thousand.
bool same_but_for_the_edge(const std::vector<Candidate>& a, const std::vector<Candidate>& b) {
  return std::max(outside(a, b), outside(b, a)) <= 1 + a.size() / 1000;
}

bool same(const std::vector<Candidate>& a, const std::vector<Candidate>& b) {
  return std::ranges::equal(a, b, [](const Candidate& one, const Candidate& other) {
    const double p = double{one.probability};
    return one.token == other.token && std::abs(p - double{other.probability}) <= 1e-3 * p + 1e-6;
  });
}

template <typename Ours, typename Theirs>
void compare(const char* name, const Ours& params_of, const Theirs& left_by) {
  std::mt19937 random(31);
  constexpr int kRounds = 300;
  int different = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::size_t size = round % 10 == 0 ? 20'000 : 40 + random() % 400;
    const std::vector<float> row = random_logits(random, size);
    const SamplingParams params = params_of(random);
    const auto mine = ours(params, row);
    const auto theirs = left_by(row, params);
    if (same(mine, theirs)) continue;
    ++different;
    if (same_but_for_the_edge(mine, theirs)) continue;
    check::fail(__FILE__, __LINE__,
                std::string(name) + " round " + std::to_string(round) + ": " +
                    std::to_string(mine.size()) + " candidates, llama.cpp has " +
                    std::to_string(theirs.size()));
    return;
  }
  CHECK(different * 20 <= kRounds);
}

float one_of(std::mt19937& random, std::initializer_list<float> values) {
  return values.begin()[random() % values.size()];
}

SamplingParams plain() {
  SamplingParams params;
  params.temperature = 1.0f;
  params.top_p = 1.0f;
  return params;
}

}  // namespace

TEST("typical_p keeps what llama.cpp keeps") {
  compare(
      "typical",
      [](std::mt19937& random) {
        SamplingParams params = plain();
        params.typical_p = one_of(random, {0.2f, 0.5f, 0.9f, 0.95f});
        params.top_k = static_cast<std::int32_t>(one_of(random, {0, 0, 30}));
        return params;
      },
      [](const std::vector<float>& row, const SamplingParams& params) {
        return llama_distribution(row, {llama_sampler_init_top_k(params.top_k),
                                        llama_sampler_init_typical(params.typical_p, 1)});
      });
}

TEST("typical_p, top_p, min_p and temperature follow one another as in llama.cpp") {
  compare(
      "typical and the rest",
      [](std::mt19937& random) {
        SamplingParams params = plain();
        params.typical_p = one_of(random, {0.6f, 0.9f});
        params.top_p = one_of(random, {0.7f, 0.95f});
        params.min_p = one_of(random, {0.0f, 0.05f});
        params.temperature = one_of(random, {0.6f, 1.4f});
        return params;
      },
      [](const std::vector<float>& row, const SamplingParams& params) {
        return llama_distribution(row, {llama_sampler_init_typical(params.typical_p, 1),
                                        llama_sampler_init_top_p(params.top_p, 1),
                                        llama_sampler_init_min_p(params.min_p, 1),
                                        llama_sampler_init_temp(params.temperature)});
      });
}

TEST("top_n_sigma keeps what llama.cpp keeps") {
  compare(
      "top_n_sigma",
      [](std::mt19937& random) {
        SamplingParams params = plain();
        params.top_n_sigma = one_of(random, {0.5f, 1.0f, 2.0f});
        params.temperature = one_of(random, {0.7f, 1.5f});
        return params;
      },
      [](const std::vector<float>& row, const SamplingParams& params) {
        return llama_distribution(row, {llama_sampler_init_top_n_sigma(params.top_n_sigma),
                                        llama_sampler_init_temp(params.temperature)});
      });
}

TEST("XTC that happens keeps what llama.cpp keeps") {
  compare(
      "xtc",
      [](std::mt19937& random) {
        SamplingParams params = plain();
        params.xtc_probability = 1.0f;
        params.xtc_threshold = one_of(random, {0.02f, 0.1f, 0.3f});
        params.top_k = static_cast<std::int32_t>(one_of(random, {0, 40}));
        return params;
      },
      [](const std::vector<float>& row, const SamplingParams& params) {
        return llama_distribution(
            row, {llama_sampler_init_top_k(params.top_k),
                  llama_sampler_init_xtc(params.xtc_probability, params.xtc_threshold, 1, 1)});
      });
}

TEST("dynamic temperature weighs as llama.cpp does") {
  compare(
      "dynatemp",
      [](std::mt19937& random) {
        SamplingParams params = plain();
        params.temperature = one_of(random, {0.8f, 1.2f});
        params.dynatemp_range = one_of(random, {0.3f, 0.7f});
        params.dynatemp_exponent = one_of(random, {0.5f, 1.0f, 2.0f});
        params.top_k = static_cast<std::int32_t>(one_of(random, {0, 20}));
        return params;
      },
      [](const std::vector<float>& row, const SamplingParams& params) {
        return llama_distribution(
            row, {llama_sampler_init_top_k(params.top_k),
                  llama_sampler_init_temp_ext(params.temperature, params.dynatemp_range,
                                              params.dynatemp_exponent)});
      });
}

TEST("draws follow the distribution the filters leave") {
  std::mt19937 random(5);
  const std::vector<float> row = random_logits(random, 200);
  SamplingParams params = plain();
  params.typical_p = 0.9f;
  params.temperature = 1.3f;
  params.seed = 4;
  const std::vector<Candidate> expected = ours(params, row);
  Sampler sampler(params, 200);
  SamplerScratch scratch;
  constexpr int kDraws = 100'000;
  std::vector<int> seen(row.size());
  for (int i = 0; i < kDraws; ++i) {
    std::vector<float> logits = row;
    ++seen[static_cast<std::size_t>(sampler.sample(logits, scratch))];
  }
  double chi_square = 0;
  int covered = 0;
  for (const Candidate& candidate : expected) {
    const double mean = double{candidate.probability} * kDraws;
    const int count = seen[static_cast<std::size_t>(candidate.token)];
    chi_square += (count - mean) * (count - mean) / mean;
    covered += count;
  }
  CHECK(covered == kDraws);
  // Six standard deviations of a chi-square with that many degrees of freedom.
  const double freedom = static_cast<double>(expected.size()) - 1;
  CHECK(chi_square < freedom + 6 * std::sqrt(2 * freedom));
}

TEST("XTC happens as often as its probability says") {
  std::vector<float> row(50, -5.0f);
  row[3] = 2.0f;
  row[7] = 1.9f;
  SamplingParams params = plain();
  params.xtc_probability = 0.3f;
  params.xtc_threshold = 0.2f;
  Sampler sampler(params, 50);
  SamplerScratch scratch;
  int without_best = 0;
  constexpr int kDraws = 20'000;
  std::vector<float> never = row;
  const double best = double{ours(plain(), never)[3].probability};
  for (int i = 0; i < kDraws; ++i) {
    std::vector<float> logits = row;
    without_best += sampler.sample(logits, scratch) != 3;
  }
  const double expected = 0.3 + 0.7 * (1 - best);
  CHECK(std::abs(without_best / double{kDraws} - expected) < 0.02);
}

TEST("mirostat holds the surprise it aims at") {
  std::mt19937 random(8);
  SamplingParams params = plain();
  params.mirostat = true;
  params.mirostat_tau = 3.0f;
  Sampler sampler(params, 5000);
  SamplerScratch scratch;
  double surprise = 0;
  constexpr int kTokens = 3000;
  for (int i = 0; i < kTokens; ++i) {
    std::normal_distribution<float> normal(0.0f, 2.5f);
    std::vector<float> row(5000);
    for (float& logit : row) logit = normal(random);
    std::vector<Candidate> left;
    std::vector<float> copy = row;
    sampler.distribution(copy, scratch, left);
    const TokenId token = sampler.sample(row, scratch);
    const auto found = std::ranges::lower_bound(left, token, {}, &Candidate::token);
    surprise -= std::log2(double{found->probability});
  }
  CHECK(std::abs(surprise / kTokens - 3.0) < 0.2);
}

TEST("a copy continues as the original does, with any filter") {
  std::mt19937 random(6);
  SamplingParams params = plain();
  params.mirostat = true;
  Sampler original(params, 300);
  SamplerScratch scratch;
  for (int i = 0; i < 20; ++i) {
    std::vector<float> row = random_logits(random, 300);
    original.sample(row, scratch);
  }
  Sampler copy = original;
  for (int i = 0; i < 50; ++i) {
    const std::vector<float> row = random_logits(random, 300);
    std::vector<float> one = row;
    std::vector<float> other = row;
    CHECK(original.sample(one, scratch) == copy.sample(other, scratch));
  }
}

TEST("a row without a choice stays one") {
  SamplingParams params = plain();
  params.typical_p = 0.5f;
  SamplerScratch scratch;
  std::vector<float> row(20, -std::numeric_limits<float>::infinity());
  CHECK(Sampler(params, 20).sample(row, scratch) == kNoToken);
  row[4] = 1.0f;
  CHECK(Sampler(params, 20).sample(row, scratch) == 4);
}
