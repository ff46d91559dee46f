// What a backend's facts decide, each for itself: the shape of its passes, whether they are rolled
// back, and whether a row's bits depend on other rows.
#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

// Texts of five requests, which arrive one after the other, on four streams.
struct Run {
  Run(bool rectangular, bool rolls_back, bool drafts) {
    BackendLimits limits = fake_limits(4, 512, 64);
    limits.prefill_outputs = 64;
    limits.rectangular = rectangular;
    limits.rolls_back = rolls_back;
    auto draft = drafts ? std::make_unique<FakeBackend>(limits) : nullptr;
    if (draft) draft->strays = 5;
    EngineFixture fixture(limits, 1000, 0, EngineConfig{}.cache, drafts, std::move(draft), 3);
    for (RequestId id = 1; id <= 5; ++id) {
      fixture.submit(id, fake_prompt(30 + 41 * id, id), static_cast<std::int32_t>(7 + 9 * id));
      fixture.engine->step();
      fixture.engine->step();
    }
    CHECK(fixture.run());
    CHECK_EQ(fixture.backend->rule_breaks, 0);
    if (fixture.draft != nullptr) CHECK_EQ(fixture.draft->rule_breaks, 0);
    for (RequestId id = 1; id <= 5; ++id) texts.push_back(fixture.story(id).tokens);
    stats = fixture.engine->stats();
    passes = fixture.backend->decode_calls + fixture.backend->prefill_calls;
  }

  std::vector<std::vector<TokenId>> texts;
  EngineStats stats;
  std::int64_t passes = 0;
};

}  // namespace

TEST(
    "streams whose passes may have any rows share them, without padding, and texts stay the same") {
  const Run rectangular(true, true, false);
  const Run any(false, true, false);
  CHECK(any.texts == rectangular.texts);
  CHECK(any.passes < rectangular.passes);
  CHECK_EQ(any.stats.padding_rows, 0);
  CHECK(rectangular.stats.padding_rows + rectangular.stats.sequence_moves > 0);
}

TEST(
    "a backend that cannot roll back gets neither padding nor drafts, whatever its passes' shape") {
  const std::vector<std::vector<TokenId>> texts = Run(true, true, false).texts;
  for (const bool rectangular : {true, false}) {
    const Run run(rectangular, false, true);
    CHECK(run.texts == texts);
    CHECK_EQ(run.stats.padding_rows, 0);
    CHECK_EQ(run.stats.draft_passes, 0);
  }
}

TEST("a draft model's passes have the shape that its backend wants") {
  const std::vector<std::vector<TokenId>> texts = Run(true, true, false).texts;
  for (const bool rectangular : {true, false}) {
    const Run run(rectangular, true, true);
    CHECK(run.texts == texts);
    CHECK(run.stats.model_drafted_tokens > 0);
  }
}

TEST("deterministic is refused by the engine, with the backend's sentence") {
  BackendLimits limits = fake_limits(2);
  CacheConfig cache;
  cache.deterministic = true;
  const EngineFixture accepted(limits, 10, 0, cache);
  limits.facts.not_repeatable = "deterministic must be false on this device.";
  const EngineFixture not_asked_for(limits, 10, 0, {});
  try {
    const EngineFixture refused(limits, 10, 0, cache);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kInvalidOption);
    CHECK_EQ(std::string(error.what()), limits.facts.not_repeatable);
  }
}
