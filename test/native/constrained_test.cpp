// Requests bound by a grammar, over the fake backend: what they cost the others of
// their step, how their tokens are distributed, and that losing a place loses
// nothing. The fake vocabulary's texts are " t0", " t1", …
#include <cmath>
#include <regex>

#include "check.h"
#include "core/grammar/grammar_cache.h"
#include "core/sampling/token_chooser.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

// Fifteen tokens, one of which ends a generation and never counts as text.
constexpr const char* kOdd = "root ::= (\" t\" ([579] | [13] [13579]?))*";
constexpr const char* kAnything = "root ::= .*";

std::shared_ptr<GrammarAutomaton> automaton(const char* grammar) {
  static GrammarCache cache(std::make_shared<FakeVocab>(50));
  return cache.find(grammar);
}

GenerateParams params(const char* grammar, std::int32_t max_tokens, std::uint64_t seed) {
  GenerateParams params;
  params.max_tokens = max_tokens;
  params.ignore_eos = true;
  params.sampling.temperature = 1;
  params.sampling.top_p = 1;
  params.sampling.seed = seed;
  if (grammar != nullptr) params.grammar = automaton(grammar);
  return params;
}

// Three free requests and one that may be bound.
EngineStats run_beside(const char* grammar, std::vector<Story>& stories) {
  EngineFixture fixture(fake_limits(4));
  for (RequestId id = 1; id <= 4; ++id)
    fixture.submit(id, fake_prompt(20, id), params(id == 3 ? grammar : nullptr, 60, id));
  CHECK(fixture.run());
  for (RequestId id = 1; id <= 4; ++id) stories.push_back(fixture.story(id));
  return fixture.engine->stats();
}

bool all_odd(const Story& story) {
  static const std::regex odd("( t([579]|[13][13579]?))*");
  return std::regex_match(story.text, odd);
}

}  // namespace

TEST("a request bound by a grammar changes no pass, no step and no text of the others") {
  std::vector<Story> free_stories, bound_stories, idle_stories;
  const EngineStats free = run_beside(nullptr, free_stories);
  const EngineStats bound = run_beside(kOdd, bound_stories);
  const EngineStats idle = run_beside(kAnything, idle_stories);
  CHECK_EQ(bound.steps, free.steps);
  CHECK_EQ(bound.decode_passes, free.decode_passes);
  CHECK_EQ(bound.decode_rows, free.decode_rows);
  CHECK_EQ(bound.padding_rows, free.padding_rows);
  CHECK_EQ(bound.prefill_passes, free.prefill_passes);
  for (const std::size_t other : {0u, 1u, 3u})
    CHECK(bound_stories[other].tokens == free_stories[other].tokens);
  CHECK(all_odd(bound_stories[2]));
  CHECK_EQ(bound_stories[2].tokens.size(), 60u);
  // Masks on refusals only: of some tokens at random, and of none.
  CHECK(bound.masked_rows > 10);
  CHECK(bound.masked_rows < 60);
  CHECK_EQ(free.masked_rows, 0);
  CHECK_EQ(idle.masked_rows, 0);
  CHECK(idle_stories[2].tokens == free_stories[2].tokens);
}

TEST("draws under a grammar follow the model's distribution over what is allowed") {
  constexpr int kDraws = 100'000;
  const auto vocab = std::make_shared<FakeVocab>(50);
  const TokenChooser chooser(vocab);
  SamplerScratch scratch;
  std::vector<float> row;
  for (int token = 0; token < 50; ++token)
    row.push_back(std::sin(static_cast<float>(token * token)) * 2);
  Request request(1, {2}, params(kOdd, 0, 9), std::make_shared<RequestControl>(), 50);
  std::vector<int> seen(50);
  int masked = 0;
  for (int i = 0; i < kDraws; ++i) {
    request.output.constraint.emplace(automaton(kOdd));
    std::vector<float> logits = row;
    const TokenChoice choice = chooser.choose(request, logits, scratch);
    ++seen[static_cast<std::size_t>(choice.token)];
    masked += choice.masked ? 1 : 0;
  }
  const auto follows = [](std::size_t token) {
    const std::size_t tens = token / 10;
    return token != kFakeEnd && token % 2 == 1 && (tens == 0 || tens == 1 || tens == 3);
  };
  double allowed = 0, all = 0;
  for (std::size_t token = 0; token < 50; ++token) {
    const double weight = std::exp(double{row[token]});
    all += weight;
    if (follows(token)) allowed += weight;
  }
  double chi_square = 0;
  for (std::size_t token = 0; token < 50; ++token) {
    if (!follows(token)) {
      CHECK_EQ(seen[token], 0);
      continue;
    }
    const double mean = std::exp(double{row[token]}) / allowed * kDraws;
    chi_square += (seen[token] - mean) * (seen[token] - mean) / mean;
  }
  constexpr double kFreedom = 13;
  CHECK(chi_square < kFreedom + 6 * std::sqrt(2 * kFreedom));
  const double refused = 1 - allowed / all;
  CHECK(std::abs(masked - refused * kDraws) < 6 * std::sqrt(kDraws * refused * (1 - refused)));
}

TEST("a constrained request that is preempted continues from its grammar state") {
  const auto bound = params(kOdd, 400, 7);
  EngineFixture fixture(fake_limits(1, 2048));
  fixture.sink.acknowledge = false;
  fixture.submit(1, fake_prompt(10, 7), bound);
  CHECK(fixture.run());
  fixture.submit(2, fake_prompt(12, 8), 20);
  CHECK(fixture.run());
  CHECK_EQ(fixture.engine->stats().preemptions, 1);
  fixture.sink.acknowledge = true;
  fixture.sink.controls[1]->acknowledged = 257;
  CHECK(fixture.run());
  EngineFixture reference(fake_limits(1, 2048));
  reference.submit(1, fake_prompt(10, 7), bound);
  CHECK(reference.run());
  CHECK_EQ(fixture.story(1).tokens.size(), 400u);
  CHECK(fixture.story(1).tokens == reference.story(1).tokens);
  CHECK(all_odd(fixture.story(1)));
}

TEST("a generation ends where nothing may follow, and not before it may") {
  EngineFixture fixture(fake_limits(2));
  GenerateParams params_of_two = params("root ::= (\" t\" [0-9]){2}", 50, 3);
  params_of_two.ignore_eos = false;
  params_of_two.sampling.logit_bias.push_back({kFakeEnd, 50});  // the model wants to end
  fixture.submit(1, fake_prompt(5, 1), params_of_two);
  GenerateParams open = params("root ::= \" t7\" (\" t\" [0-9])*", 50, 3);
  open.ignore_eos = false;
  open.sampling.logit_bias.push_back({kFakeEnd, 50});
  fixture.submit(2, fake_prompt(5, 2), open);
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(1).tokens.size(), 2u);
  CHECK(fixture.story(1).ends.at(0).reason == FinishReason::kStop);
  CHECK_EQ(fixture.story(2).text, " t7");
  CHECK(fixture.story(2).ends.at(0).reason == FinishReason::kStop);
}
