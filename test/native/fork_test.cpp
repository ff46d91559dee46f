// A running request continued twice: what the fork is told, what is computed
// for it, and that its source never notices.
#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

std::optional<Failure> fork(EngineFixture& fixture, RequestId source, RequestId id) {
  return fixture.engine->fork(source, id, id, fixture.sink.control(id));
}

GenerateParams drawn(std::int32_t max_tokens) {
  GenerateParams params;
  params.max_tokens = max_tokens;
  params.ignore_eos = true;
  params.sampling.temperature = 1;
  params.sampling.top_p = 1;
  params.sampling.seed = 3;
  return params;
}

std::size_t in_common(const std::vector<TokenId>& a, const std::vector<TokenId>& b) {
  std::size_t length = 0;
  while (length < a.size() && length < b.size() && a[length] == b[length]) ++length;
  return length;
}

}  // namespace

TEST("a fork gets its source's tokens, computes none of them and samples independently") {
  EngineFixture fixture(fake_limits(4));
  CHECK(!fixture.submit(1, fake_prompt(100, 1), drawn(60)));
  for (int step = 0; step < 20; ++step) fixture.engine->step();
  const std::size_t before = fixture.story(1).tokens.size();
  const std::int64_t computed = fixture.backend->prefill_rows;
  CHECK(!fork(fixture, 1, 2));
  CHECK(!fork(fixture, 1, 3));
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->prefill_rows, computed);
  const auto& source = fixture.story(1);
  for (const RequestId id : {2u, 3u}) {
    const auto& story = fixture.story(id);
    CHECK_EQ(story.tokens.size(), 60u);
    CHECK(in_common(source.tokens, story.tokens) >= before);
    CHECK(in_common(source.tokens, story.tokens) < 60);
    CHECK_EQ(story.text.substr(0, 10), source.text.substr(0, 10));
    CHECK_EQ(story.ends.at(0).usage.prompt_tokens, 100);
    CHECK_EQ(story.ends.at(0).usage.cached_prompt_tokens, 100);
  }
  CHECK(fixture.story(2).tokens != fixture.story(3).tokens);
  EngineFixture alone(fake_limits(1));
  CHECK(!alone.submit(1, fake_prompt(100, 1), drawn(60)));
  CHECK(alone.run());
  CHECK(alone.story(1).tokens == source.tokens);
}

TEST("a request can be forked before it has begun, and while it is preempted") {
  EngineFixture fixture(fake_limits(1));
  CHECK(!fixture.submit(1, fake_prompt(90, 1), 40));
  CHECK(!fork(fixture, 1, 2));
  fixture.engine->step();
  CHECK(!fork(fixture, 2, 3));
  fixture.sink.acknowledge = false;
  CHECK(!fixture.submit(4, fake_prompt(20, 4), 300));
  for (int step = 0; step < 200; ++step) fixture.engine->step();
  fixture.sink.acknowledge = true;
  for (auto& [id, control] : fixture.sink.controls) control->acknowledged = 1000;
  CHECK(fixture.run());
  CHECK(fixture.story(2).tokens == fixture.story(1).tokens);
  CHECK(fixture.story(3).tokens == fixture.story(1).tokens);
}

TEST("a state that cannot be truncated is copied whole to a fork") {
  BackendLimits limits = fake_limits(3);
  limits.can_truncate = limits.rolls_back = false;
  EngineFixture fixture(limits);
  CHECK(!fixture.submit(1, fake_prompt(100, 1), 60));
  for (int step = 0; step < 20; ++step) fixture.engine->step();
  const std::int64_t computed = fixture.backend->prefill_rows;
  CHECK(!fork(fixture, 1, 2));
  CHECK(!fork(fixture, 1, 3));
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->prefill_rows, computed);
  for (const RequestId id : {2u, 3u}) CHECK(fixture.story(id).tokens == fixture.story(1).tokens);
}

TEST("a state that cannot be truncated is kept for a fork that waits for a sequence") {
  BackendLimits limits = fake_limits(1);
  limits.can_truncate = limits.rolls_back = false;
  EngineFixture fixture(limits);
  CHECK(!fixture.submit(1, fake_prompt(100, 1), 60));
  for (int step = 0; step < 20; ++step) fixture.engine->step();
  CHECK(!fork(fixture, 1, 2));
  fixture.engine->step();
  CHECK(!fork(fixture, 2, 3));
  CHECK(fixture.engine->stats().cache.host_bytes > 200);
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->prefill_rows, 99);
  for (const RequestId id : {2u, 3u}) {
    CHECK(fixture.story(id).tokens == fixture.story(1).tokens);
    CHECK_EQ(fixture.story(id).ends.at(0).usage.cached_prompt_tokens, 100);
  }
}

TEST("text held back for a stop string is held back for the fork too") {
  EngineFixture fixture(fake_limits(2));
  EngineFixture plain(fake_limits(1));
  CHECK(!plain.submit(1, fake_prompt(20, 9), 30));
  CHECK(plain.run());
  const std::vector<TokenId>& tokens = plain.story(1).tokens;
  const std::string stop =
      " t" + std::to_string(tokens[10]) + " t" + std::to_string(tokens[11]) + " t";
  CHECK(!fixture.submit(1, fake_prompt(20, 9), 30, 0, {stop}));
  while (fixture.story(1).tokens.size() < 11) fixture.engine->step();
  CHECK(!fork(fixture, 1, 2));
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(2).text, fixture.story(1).text);
  CHECK(fixture.story(2).ends.at(0).reason == FinishReason::kStop);
}

TEST("a fork of what has ended, or never was, fails alone; a full engine refuses") {
  EngineFixture fixture(fake_limits(2), 2);
  CHECK(!fixture.submit(1, fake_prompt(20, 1), 4));
  CHECK(fixture.run());
  CHECK(!fork(fixture, 1, 2));
  CHECK(!fork(fixture, 77, 3));
  CHECK_EQ(fork(fixture, 1, 4).value().code == ErrorCode::kQueueFull, true);
  fixture.run();
  for (const RequestId id : {2u, 3u}) {
    CHECK_EQ(fixture.story(id).ends.size(), 1u);
    CHECK(fixture.story(id).ends.at(0).failure.value().code == ErrorCode::kInvalidOption);
  }
  CHECK(!fixture.submit(5, fake_prompt(20, 1), 4));
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(5).tokens.size(), 4u);
}
