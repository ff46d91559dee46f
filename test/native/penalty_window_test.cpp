// Penalties of generated tokens against llama.cpp's own sampler, and what a prompt
// adds to them, as vLLM defines it.
#include "core/sampling/penalty_window.h"

#include <array>
#include <random>

#include "check.h"
#include "llama_samplers.h"

using namespace infernode;

namespace {

SamplingParams penalties(float repeat, float frequency, float presence, std::int32_t window) {
  SamplingParams params;
  params.temperature = 1.0f;
  params.top_p = 1.0f;
  params.repeat_penalty = repeat;
  params.frequency_penalty = frequency;
  params.presence_penalty = presence;
  params.penalty_window = window;
  return params;
}

std::vector<float> penalised(const SamplingParams& params, const std::vector<TokenId>& prompt,
                             const std::vector<TokenId>& generated) {
  PenaltyWindow window(params);
  window.prime(prompt);
  for (const TokenId token : generated) window.accept(token);
  std::vector<float> row(8, 1.0f);
  window.apply(row);
  return row;
}

}  // namespace

TEST("generated tokens are penalised as llama.cpp's sampler penalises them") {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    const std::int32_t last = std::array{-1, 5, 64}[random() % 3];
    const SamplingParams params = penalties(1.2f, 0.3f, 0.5f, last);
    std::vector<TokenId> generated(random() % 100);
    for (TokenId& token : generated) token = static_cast<TokenId>(random() % 40);
    std::normal_distribution<float> normal(0.0f, 2.0f);
    std::vector<float> row(50);
    for (float& logit : row) logit = normal(random);

    llama_sampler* theirs =
        llama_sampler_init_penalties(50, last < 0 ? 100 : last, params.repeat_penalty,
                                     params.frequency_penalty, params.presence_penalty);
    for (const TokenId token : generated) llama_sampler_accept(theirs, token);
    const std::vector<Candidate> expected = llama_distribution(row, {theirs});

    Sampler sampler(params, 50);
    for (const TokenId token : generated) sampler.accept(token);
    SamplerScratch scratch;
    std::vector<Candidate> ours;
    sampler.distribution(row, scratch, ours);
    std::ranges::sort(ours, {}, &Candidate::token);
    CHECK(std::ranges::equal(ours, expected, [](const Candidate& one, const Candidate& other) {
      return one.token == other.token && std::abs(one.probability - other.probability) < 1e-5f;
    }));
  }
}

TEST("a prompt's tokens are penalised by repeat alone, however far back they are") {
  std::vector<TokenId> prompt(500, 7);
  prompt.front() = 3;
  const auto by_repeat = penalised(penalties(2.0f, 0, 0, -1), prompt, {});
  CHECK(by_repeat[3] == 0.5f && by_repeat[7] == 0.5f && by_repeat[1] == 1.0f);
  CHECK(penalised(penalties(1, 1.0f, 2.0f, -1), prompt, {}) == std::vector<float>(8, 1.0f));
}

TEST("frequency counts what was generated, also of a token the prompt has") {
  const auto row = penalised(penalties(1, 0.25f, 0.5f, -1), {3, 3, 3, 4}, {3, 3, 5});
  CHECK(row[3] == 0.0f);   // 1 - 2 * 0.25 - 0.5
  CHECK(row[5] == 0.25f);  // 1 - 0.25 - 0.5
  CHECK(row[4] == 1.0f);
}

TEST("a window is of prompt and generated tokens together") {
  const SamplingParams last_three = penalties(2.0f, 0.25f, 0, 3);
  const auto begun = penalised(last_three, {1, 2, 3}, {4});
  CHECK(begun[1] == 1.0f && begun[2] == 0.5f && begun[3] == 0.5f && begun[4] == 0.25f);
  const auto later = penalised(last_three, {1, 2, 3}, {4, 5, 6, 5});
  CHECK(later[3] == 1.0f && later[4] == 1.0f && later[6] == 0.25f && later[5] == 0.0f);
}
