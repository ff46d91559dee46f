// The sampler against a textbook one: full sort, double precision, no
// shortcuts. Every statement is checked with every kernel set this CPU has.
#include "core/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <thread>

#include "check.h"
#include "textbook_sampler.h"

using namespace infernode;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<const SamplerKernels*> all_kernels() {
  std::vector<const SamplerKernels*> all{&generic_sampler_kernels()};
  if (avx2_sampler_kernels() != nullptr) all.push_back(avx2_sampler_kernels());
  if (avx512_sampler_kernels() != nullptr) all.push_back(avx512_sampler_kernels());
  return all;
}

void check_against_textbook(std::size_t size, int rounds, std::uint32_t seed) {
  std::mt19937 random(seed);
  SamplerScratch scratch;
  std::vector<Candidate> candidates;
  for (int round = 0; round < rounds; ++round) {
    const SamplingParams params = random_params(random, size);
    const std::vector<float> row = random_row(random, size);
    std::vector<TokenId> known(random() % 100);
    const std::size_t used = std::min<std::size_t>(size, 30);
    for (TokenId& token : known) token = static_cast<TokenId>(random() % used);
    const std::size_t prompt = known.empty() ? 0 : random() % (known.size() + 1);
    const Textbook expected =
        textbook(row, params, window_of(known, params.penalty_window), known.size() - prompt);
    if (expected.top_p_margin < 2e-6 || expected.near_min_p) continue;
    for (const SamplerKernels* kernels : all_kernels()) {
      Sampler sampler(params, static_cast<std::int32_t>(size), *kernels);
      sampler.prime(std::span(known).first(prompt));
      for (const TokenId token : std::span(known).subspan(prompt)) sampler.accept(token);
      std::vector<float> logits = row;
      sampler.distribution(logits, scratch, candidates);
      if (agrees(candidates, expected)) continue;
      check::fail(__FILE__, __LINE__,
                  std::string(kernels->name) + " differs from the textbook, seed " +
                      std::to_string(seed) + " round " + std::to_string(round) + ", " +
                      describe(params, size) + ": " + std::to_string(candidates.size()) +
                      " candidates, not " + std::to_string(expected.entries.size()));
      return;
    }
  }
}

TokenId sample_once(const SamplingParams& params, std::vector<float> row,
                    const SamplerKernels& kernels) {
  SamplerScratch scratch;
  Sampler sampler(params, static_cast<std::int32_t>(row.size()), kernels);
  return sampler.sample(row, scratch);
}

std::vector<TokenId> draws(Sampler sampler, const std::vector<float>& row, int count) {
  SamplerScratch scratch;
  std::vector<TokenId> tokens;
  for (int i = 0; i < count; ++i) {
    std::vector<float> logits = row;
    tokens.push_back(sampler.sample(logits, scratch));
  }
  return tokens;
}

}  // namespace

TEST("small vocabularies give the textbook distribution") {
  for (std::size_t size = 1; size <= 200; ++size) {
    check_against_textbook(size, 40, static_cast<std::uint32_t>(size));
  }
}

TEST("middling vocabularies give the textbook distribution") {
  for (const std::size_t size : {1000u, 1024u, 4097u}) check_against_textbook(size, 300, 11);
}

TEST("large vocabularies give the textbook distribution") {
  for (const std::size_t size : {8192u, 20001u, 131072u}) check_against_textbook(size, 60, 12);
}

TEST("each token is drawn as often as its probability says") {
  std::mt19937 random(5);
  const std::vector<float> row = [&] {
    std::vector<float> logits(300);
    std::normal_distribution<float> normal;
    for (float& logit : logits) logit = 1.5f * normal(random);
    return logits;
  }();
  struct Setting {
    float temperature, top_p, min_p;
    std::int32_t top_k;
  };
  for (const Setting& setting : {Setting{1.0f, 1.0f, 0.0f, 0}, Setting{0.7f, 0.9f, 0.0f, 0},
                                 Setting{1.3f, 0.95f, 0.02f, 50}}) {
    SamplingParams params;
    params.temperature = setting.temperature;
    params.top_p = setting.top_p;
    params.min_p = setting.min_p;
    params.top_k = setting.top_k;
    params.seed = 77;
    const Textbook expected = textbook(row, params, {}, 0);
    constexpr int kDraws = 100'000;
    std::vector<int> seen(row.size());
    for (const TokenId token : draws(Sampler(params, 300), row, kDraws)) {
      ++seen[static_cast<std::size_t>(token)];
    }
    double chi_square = 0;
    int covered = 0;
    for (const Entry& entry : expected.entries) {
      const double mean = entry.probability * kDraws;
      const int count = seen[static_cast<std::size_t>(entry.token)];
      chi_square += (count - mean) * (count - mean) / mean;
      covered += count;
    }
    const double freedom = static_cast<double>(expected.entries.size()) - 1;
    CHECK_EQ(covered, kDraws);
    // Five standard deviations of chi-square with that many degrees.
    CHECK(chi_square < freedom + 5 * std::sqrt(2 * freedom));
  }
}

TEST("a seed gives the same draws, another seed gives others") {
  std::mt19937 random(6);
  const std::vector<float> row = random_row(random, 500);
  SamplingParams params;
  params.temperature = 1.0f;
  params.seed = 42;
  const auto first = draws(Sampler(params, 500), row, 200);
  CHECK(draws(Sampler(params, 500), row, 200) == first);
  params.seed = 43;
  CHECK(draws(Sampler(params, 500), row, 200) != first);
}

TEST("a copied sampler continues as the original does") {
  std::mt19937 random(7);
  const std::vector<float> row = random_row(random, 500);
  SamplingParams params;
  params.temperature = 1.0f;
  params.repeat_penalty = 1.2f;
  Sampler original(params, 500);
  SamplerScratch scratch;
  for (int i = 0; i < 50; ++i) {
    std::vector<float> logits = row;
    original.accept(original.sample(logits, scratch));
  }
  const Sampler copy = original;
  CHECK(draws(copy, row, 100) == draws(original, row, 100));
}

TEST("the draw is the same on another thread and with another scratch") {
  std::mt19937 random(8);
  const std::vector<float> row = random_row(random, 9000);
  SamplingParams params;
  params.temperature = 0.9f;
  const Sampler sampler(params, 9000);
  const auto here = draws(sampler, row, 20);
  std::vector<TokenId> there;
  std::thread([&] { there = draws(sampler, row, 20); }).join();
  CHECK(here == there);
}

TEST("one random number is taken per sampled token, whatever the filters left") {
  SamplingParams narrow;
  narrow.temperature = 1.0f;
  narrow.top_k = 1;
  SamplingParams wide = narrow;
  wide.top_k = 0;
  wide.top_p = 1.0f;
  const std::vector<float> peaked{0, 90, 0, 0};
  CHECK(draws(Sampler(narrow, 4), peaked, 3) == draws(Sampler(wide, 4), peaked, 3));
}

TEST("the kernel sets draw the same tokens") {
  std::mt19937 random(9);
  int differing = 0;
  for (int round = 0; round < 300; ++round) {
    const std::size_t size = 1 + random() % 9000;
    const std::vector<float> row = random_row(random, size);
    SamplingParams params = random_params(random, size);
    params.seed = random();
    const TokenId expected = sample_once(params, row, generic_sampler_kernels());
    for (const SamplerKernels* kernels : all_kernels()) {
      differing += sample_once(params, row, *kernels) == expected ? 0 : 1;
    }
  }
  CHECK(differing <= 1);  // a random number may fall between two roundings
}

TEST("the most likely token wins at temperature 0, the lowest of a tie") {
  SamplingParams params;
  params.temperature = 0;
  for (const SamplerKernels* kernels : all_kernels()) {
    for (const std::size_t size : {1u, 63u, 64u, 65u, 1000u}) {
      for (std::size_t place = 0; place < size; place += 7) {
        std::vector<float> row(size, -3.0f);
        row[place] = 4.0f;
        row[size - 1] = 4.0f;
        CHECK_EQ(sample_once(params, row, *kernels), static_cast<TokenId>(place));
      }
    }
  }
}

TEST("a row without a choice gives no token and takes no random number") {
  SamplingParams params;
  for (const float temperature : {0.0f, 1.0f}) {
    params.temperature = temperature;
    for (const SamplerKernels* kernels : all_kernels()) {
      for (const std::size_t size : {1u, 16u, 65u, 200u, 9000u}) {
        CHECK_EQ(sample_once(params, std::vector<float>(size, -kInfinity), *kernels), kNoToken);
        CHECK_EQ(sample_once(params, std::vector<float>(size, kNan), *kernels), kNoToken);
        for (std::size_t place = 0; place < size; place += 1 + size / 40) {
          std::vector<float> row(size, 0.5f);
          row[place] = kNan;
          CHECK_EQ(sample_once(params, row, *kernels), kNoToken);
          row[place] = kInfinity;
          CHECK_EQ(sample_once(params, row, *kernels), kNoToken);
        }
      }
    }
  }
  Sampler disturbed(params, 300), undisturbed(params, 300);
  SamplerScratch scratch;
  std::vector<float> broken(300, kNan);
  CHECK_EQ(disturbed.sample(broken, scratch), kNoToken);
  const std::vector<float> row(300, 0.0f);
  CHECK(draws(disturbed, row, 20) == draws(undisturbed, row, 20));
}

TEST("a forbidden token is never drawn") {
  SamplingParams params;
  params.temperature = 5.0f;
  params.top_p = 1.0f;
  params.logit_bias = {{3, -kInfinity}, {999, 1.0f}, {-1, 1.0f}};
  for (const TokenId token : draws(Sampler(params, 5), {1, -kInfinity, 1, 9, 1}, 2000)) {
    CHECK(token == 0 || token == 2 || token == 4);
  }
}

TEST("extreme logits and temperatures give a token in range") {
  const float huge = std::numeric_limits<float>::max();
  for (const SamplerKernels* kernels : all_kernels()) {
    for (const float temperature : {1e-45f, 1e-30f, 1.0f, 1e30f}) {
      for (const float top_p : {1e-30f, 0.5f, 0.9999999f, 1.0f}) {
        for (const float min_p : {0.0f, 1e-40f, 2.0f}) {
          SamplingParams params;
          params.temperature = temperature;
          params.top_p = top_p;
          params.min_p = min_p;
          std::vector<float> row(9000, -huge);
          row[70] = huge;
          CHECK_EQ(sample_once(params, row, *kernels), 70);
          std::ranges::fill(row, 1e-40f);
          const TokenId token = sample_once(params, row, *kernels);
          CHECK(token >= 0 && token < 9000);
        }
      }
    }
  }
}

TEST("repeat sees prompt and generated tokens, frequency and presence the generated") {
  std::mt19937 random(10);
  for (const std::int32_t window : {1, 3, 64, -1}) {
    SamplingParams params;
    params.temperature = 1.0f;
    params.top_p = 1.0f;
    params.penalty_window = window;
    params.repeat_penalty = 1.1f;
    params.frequency_penalty = 0.2f;
    params.presence_penalty = 0.3f;
    Sampler sampler(params, 50);
    SamplerScratch scratch;
    std::vector<Candidate> candidates;
    std::vector<TokenId> known;
    std::size_t prompt = 0;
    for (int step = 0; step < 300; ++step) {
      if (step % 50 == 20) {
        sampler.prime(known);
        prompt = known.size();
      } else {
        known.push_back(static_cast<TokenId>(random() % 50));
        sampler.accept(known.back());
      }
      const std::vector<float> row = random_row(random, 50);
      std::vector<float> logits = row;
      sampler.distribution(logits, scratch, candidates);
      const auto generated = known.size() - prompt;
      CHECK(agrees(candidates, textbook(row, params, window_of(known, window), generated)));
    }
  }
}

TEST("tokens outside the vocabulary are ignored by the penalties") {
  SamplingParams params;
  params.repeat_penalty = 2.0f;
  Sampler sampler(params, 4);
  sampler.prime(std::vector<TokenId>{-5, 4, 1 << 30});
  sampler.accept(-1);
  SamplerScratch scratch;
  std::vector<float> row{1, 2, 3, 4};
  CHECK(sampler.sample(row, scratch) >= 0);
}

TEST("a row of another size than the vocabulary is refused") {
  SamplerScratch scratch;
  std::vector<float> row(3);
  Sampler sampler(SamplingParams{}, 4);
  CHECK_THROWS(BrokenInvariant, sampler.sample(row, scratch));
}
