// DRY beside llama.cpp's own sampler, on the embedded model's vocabulary: the
// same breakers out of the same texts, the same logits after each token.
#include "core/sampling/dry_penalty.h"

#include <random>
#include <string>

#include "check.h"
#include "llama_samplers.h"
#include "model/dry_breakers.h"
#include "model_fixture.h"

using namespace infernode;

namespace {

struct Walk {
  SamplingParams params;
  std::vector<std::string> breakers;
  std::size_t alphabet;  // distinct tokens: few make many repeats
};

std::vector<float> after_llama(llama_sampler* sampler, const std::vector<float>& row) {
  std::vector<llama_token_data> data;
  for (std::size_t i = 0; i < row.size(); ++i)
    data.push_back({static_cast<llama_token>(i), row[i], 0});
  llama_token_data_array array{data.data(), data.size(), -1, false};
  llama_sampler_apply(sampler, &array);
  std::vector<float> logits(row.size());
  for (const llama_token_data& entry : data)
    logits[static_cast<std::size_t>(entry.id)] = entry.logit;
  return logits;
}

// Rows whose logits differ on the way of a random walk; penalised ones counted.
struct Outcome {
  int different = 0;
  int penalised = 0;
};

Outcome walk(const std::shared_ptr<const LlamaModel>& model, Walk how, std::uint64_t seed) {
  DryBreakerLists lists;
  how.params.dry_breakers = lists.find(*model, how.breakers);
  DryPenalty ours(how.params);
  const std::int32_t window = how.params.dry_window < 0 ? 4096 : how.params.dry_window;
  std::vector<const char*> texts;
  for (const std::string& text : how.breakers) texts.push_back(text.c_str());
  const std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)> theirs(
      llama_sampler_init_dry(llama_model_get_vocab(model->handle()), how.params.dry_multiplier,
                             how.params.dry_base, how.params.dry_allowed_length, window,
                             texts.data(), texts.size()),
      llama_sampler_free);
  std::mt19937_64 random(seed);
  const auto size = static_cast<std::size_t>(model->vocab().size());
  std::vector<TokenId> alphabet;
  for (const TokenId token :
       model->vocab().tokenize("\n: \"Tom\" said: * no\n\nyes, \"Tom\"", false, false))
    alphabet.push_back(token);
  while (alphabet.size() < how.alphabet) alphabet.push_back(static_cast<TokenId>(random() % size));
  alphabet.resize(how.alphabet);
  Outcome outcome;
  const std::vector<float> row(size, 1.0f);
  for (int step = 0; step < 400; ++step) {
    const TokenId token = alphabet[random() % alphabet.size()];
    ours.accept(token);
    llama_sampler_accept(theirs.get(), token);
    std::vector<float> logits = row;
    ours.apply(logits);
    const std::vector<float> expected = after_llama(theirs.get(), row);
    outcome.penalised += logits != row ? 1 : 0;
    for (std::size_t i = 0; i < size; ++i) {
      const double tolerance = 1e-5 * (1 + std::abs(double{expected[i]}));
      if (!(std::abs(double{logits[i]} - double{expected[i]}) <= tolerance)) {
        ++outcome.different;
        break;
      }
    }
  }
  return outcome;
}

SamplingParams dry(float multiplier, float base, std::int32_t allowed, std::int32_t window) {
  SamplingParams params;
  params.dry_multiplier = multiplier;
  params.dry_base = base;
  params.dry_allowed_length = allowed;
  params.dry_window = window;
  return params;
}

}  // namespace

TEST("DRY changes the logits as llama.cpp's does") {
  const auto model = load_embedded("q8_0");
  const std::vector<std::string> usual = {"\n", ":", "\"", "*"};
  const std::vector<Walk> walks = {
      {dry(0.8f, 1.75f, 2, -1), usual, 30},
      {dry(0.8f, 1.75f, 2, -1), {}, 3},
      {dry(2.0f, 1.0f, 0, -1), usual, 12},
      {dry(1.0f, 3.0f, 1, 50), {"om\" s", "no"}, 16},
      {dry(1.0f, 1.2f, 4, -1), {"\n\nyes", "Tom", "a"}, 4},
      {dry(100.0f, 100.0f, 2, -1), {}, 2},
  };
  std::uint64_t seed = 5;
  for (const Walk& how : walks) {
    const Outcome outcome = walk(model, how, seed++);
    CHECK_EQ(outcome.different, 0);
    CHECK(outcome.penalised > 20);
  }
}

TEST("a window of 0 and a multiplier of 0 change nothing") {
  for (const SamplingParams& params : {dry(1, 1.75f, 2, 0), dry(0, 1.75f, 2, -1)}) {
    DryPenalty penalty(params);
    CHECK(!penalty.active());
    for (int i = 0; i < 40; ++i) penalty.accept(i % 2);
    std::vector<float> logits(4, 1.0f);
    penalty.apply(logits);
    CHECK(logits == std::vector<float>(4, 1.0f));
  }
}

TEST("the same list of breakers is made once") {
  const auto model = load_embedded("q8_0");
  DryBreakerLists lists;
  const auto first = lists.find(*model, {"\n", "x"});
  CHECK(lists.find(*model, {"\n", "x"}) == first);
  CHECK(lists.find(*model, {"x", "\n"}) != first);
}
