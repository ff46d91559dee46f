// Adapters chosen per request: rows of different sets share no pass and no cells, and
// every set gets its turn.
#include <limits>

#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

constexpr TokenId kPoison = 49;  // never generated
const AdapterScales kNone = {0, 0};
const AdapterScales kFirst = {1, 0};
const AdapterScales kBoth = {0.5f, 2};

GenerateParams with(const AdapterScales& adapters, std::int32_t max_tokens = 20) {
  GenerateParams params;
  params.max_tokens = max_tokens;
  params.ignore_eos = true;
  params.sampling.temperature = 0;
  params.adapters = adapters;
  params.sampling.logit_bias = {{kPoison, -std::numeric_limits<float>::infinity()}};
  return params;
}

std::vector<TokenId> alone(const std::vector<TokenId>& prompt, const AdapterScales& adapters) {
  EngineFixture fixture(fake_limits(1));
  CHECK(!fixture.submit(1, prompt, with(adapters)));
  CHECK(fixture.run());
  return fixture.story(1).tokens;
}

}  // namespace

TEST("among requests with other adapters and the same prefix, a text is what it is alone") {
  for (const bool pads : {true, false}) {
    BackendLimits limits = fake_limits(5);
    limits.rolls_back = pads;
    EngineFixture fixture(limits);
    const AdapterScales sets[] = {{}, kFirst, kBoth, kNone};
    const std::vector<TokenId> prompt = fake_prompt(90, 1);
    for (RequestId id = 0; id < 12; ++id)
      CHECK(!fixture.submit(id, prompt, with(sets[id % 4], 10 + static_cast<std::int32_t>(id))));
    CHECK(fixture.run());
    for (RequestId id = 0; id < 12; ++id) {
      std::vector<TokenId> expected = alone(prompt, sets[id % 4]);
      expected.resize(std::min<std::size_t>(expected.size(), 10 + id));
      std::vector<TokenId> found = fixture.story(id).tokens;
      found.resize(std::min(found.size(), expected.size()));
      CHECK(found == expected);
      const std::int32_t cached = fixture.story(id).ends.at(0).usage.cached_prompt_tokens;
      CHECK_EQ(cached > 0, id >= 4);  // computed once by each set
    }
    CHECK(alone(prompt, kFirst) != alone(prompt, kBoth));
    CHECK_EQ(fixture.backend->rule_breaks, 0);
  }
}

TEST("adapter sets alternate every few steps, and none waits longer than one round") {
  EngineFixture fixture(fake_limits(6));
  for (RequestId id = 0; id < 4; ++id)
    CHECK(!fixture.submit(id, fake_prompt(5, id), with(kFirst, 300)));
  CHECK(!fixture.submit(4, fake_prompt(5, 4), with({}, 300)));
  CHECK(!fixture.submit(5, fake_prompt(5, 5), with(kBoth, 300)));
  std::vector<std::size_t> told(6);
  std::vector<int> silent(6);
  int longest = 0;
  for (int step = 0; step < 300; ++step) {
    fixture.engine->step();
    for (RequestId id = 0; id < 6; ++id) {
      const std::size_t now = fixture.story(id).tokens.size();
      silent[id] = now == told[id] ? silent[id] + 1 : 0;
      told[id] = now;
      longest = std::max(longest, silent[id]);
    }
  }
  CHECK(longest <= 8);  // two others' turns of four steps
  for (RequestId id = 0; id < 6; ++id) CHECK(told[id] >= 90 && told[id] <= 110);
  CHECK_EQ(fixture.engine->stats().adapter_switches, fixture.backend->adapter_calls);
  CHECK(fixture.backend->adapter_calls <= 300 / 4 + 1);
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("new requests with ever other adapters keep no request from running") {
  EngineFixture fixture(fake_limits(4), 1000, 0, {.keeps_prefixes = false});
  CHECK(!fixture.submit(1, fake_prompt(5, 1), with({}, 50)));
  RequestId next = 2;
  int steps = 0;
  for (; fixture.story(1).ends.empty() && steps < 2000; ++steps) {
    const EngineStats stats = fixture.engine->stats();
    if (stats.running + stats.waiting < 4) {
      const AdapterScales own = {static_cast<float>(next), 1};
      CHECK(!fixture.submit(next, fake_prompt(5, next), with(own, 3)));
      ++next;
    }
    fixture.engine->step();
  }
  CHECK(steps < 50 * 4);
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("where no request chooses, the backend hears of no adapters") {
  EngineFixture fixture(fake_limits(3));
  for (RequestId id = 0; id < 9; ++id) CHECK(!fixture.submit(id, fake_prompt(20, id), 10));
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->adapter_calls, 0);
  CHECK(!fixture.submit(9, fake_prompt(20, 9), with(kFirst)));
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->adapter_calls, 1);  // and stays until another is asked for
  CHECK(!fixture.submit(10, fake_prompt(20, 9), with(kFirst)));
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->adapter_calls, 1);
}

TEST("a fork has its source's adapters, and its cells") {
  EngineFixture fixture(fake_limits(3));
  const std::vector<TokenId> prompt = fake_prompt(60, 1);
  CHECK(!fixture.submit(1, prompt, with(kBoth)));
  for (int step = 0; step < 8; ++step) fixture.engine->step();
  CHECK(!fixture.engine->fork(1, 2, 2, fixture.sink.control(2)));
  CHECK(!fixture.submit(3, prompt, with({})));
  CHECK(fixture.run());
  CHECK(fixture.story(2).tokens == alone(prompt, kBoth));
  CHECK(fixture.story(3).tokens == alone(prompt, {}));
  CHECK(fixture.story(2).ends.at(0).usage.cached_prompt_tokens > 50);
  CHECK_EQ(fixture.story(3).ends.at(0).usage.cached_prompt_tokens, 0);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("a request that fails alone does so in its own turn") {
  EngineFixture fixture(fake_limits(3));
  fixture.backend->poison(kPoison, DecodeStatus::kFailed);
  CHECK(!fixture.submit(1, {2, 3, kPoison, 4}, with(kFirst)));
  CHECK(!fixture.submit(2, {2, 3, 5, 4}, with(kFirst)));
  CHECK(!fixture.submit(3, {2, 3, 6, 4}, with({})));
  CHECK(fixture.run());
  CHECK(fixture.story(1).ends.at(0).reason == FinishReason::kError);
  CHECK(fixture.story(2).tokens == alone({2, 3, 5, 4}, kFirst));
  CHECK(fixture.story(3).tokens == alone({2, 3, 6, 4}, {}));
}
