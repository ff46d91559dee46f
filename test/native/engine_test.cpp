// The engine over the fake backend: what each request gets, whichever
// requests share its steps. The ledger is checked after every step by the engine itself.
#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

Story alone(std::vector<TokenId> prompt, std::int32_t max_tokens, float temperature, RequestId id) {
  EngineFixture fixture(fake_limits(1));
  fixture.submit(id, std::move(prompt), max_tokens, temperature);
  fixture.run();
  return fixture.story(id);
}

std::vector<TokenId> with_last(std::vector<TokenId> prompt, TokenId last) {
  prompt.back() = last;
  return prompt;
}

}  // namespace

TEST("a request alone generates max_tokens and ends once with length") {
  EngineFixture fixture(fake_limits(4));
  CHECK(!fixture.submit(1, fake_prompt(10, 1), 20));
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(1).tokens.size(), 20u);
  CHECK_EQ(fixture.story(1).ends.size(), 1u);
  CHECK(fixture.story(1).ends[0].reason == FinishReason::kLength);
  CHECK_EQ(fixture.story(1).ends[0].usage.prompt_tokens, 10);
  CHECK_EQ(fixture.story(1).ends[0].usage.completion_tokens, 20);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("a prompt of one token needs no prefill pass") {
  EngineFixture fixture(fake_limits(1));
  fixture.submit(1, {5}, 3);
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->prefill_calls, 0);
  CHECK_EQ(fixture.backend->decode_calls, 3);
}

TEST("sampled text is the same alone and in a crowd") {
  EngineFixture fixture(fake_limits(7));
  for (RequestId id = 1; id <= 40; ++id) {
    fixture.submit(id, fake_prompt(1 + id * 7 % 90, id), static_cast<std::int32_t>(5 + id % 17),
                   id % 2 ? 0.0f : 0.9f);
  }
  CHECK(fixture.run());
  for (RequestId id = 1; id <= 40; ++id) {
    const Story expected = alone(fake_prompt(1 + id * 7 % 90, id),
                                 static_cast<std::int32_t>(5 + id % 17), id % 2 ? 0.0f : 0.9f, id);
    CHECK(fixture.story(id).tokens == expected.tokens);
    CHECK_EQ(fixture.story(id).ends.size(), 1u);
  }
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("generation ends with length when the context is full") {
  EngineFixture fixture(fake_limits(2, 32));
  fixture.submit(1, fake_prompt(20, 3), 0);
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(1).tokens.size(), 12u);
  CHECK(fixture.story(1).ends.at(0).reason == FinishReason::kLength);
}

TEST("a prompt that leaves no room for an answer is refused with both numbers") {
  EngineFixture fixture(fake_limits(2, 32));
  const auto failure = fixture.submit(1, fake_prompt(32, 3), 1);
  CHECK(failure.has_value());
  CHECK(failure->code == ErrorCode::kContextOverflow);
  CHECK(failure->message.find("32 tokens") != std::string::npos);
}

TEST("requests beyond the queue limit are refused and the living end") {
  EngineFixture fixture(fake_limits(1), 3);
  for (RequestId id = 1; id <= 3; ++id) CHECK(!fixture.submit(id, {3}, 2));
  const auto refused = fixture.submit(4, {3}, 2);
  CHECK(refused && refused->code == ErrorCode::kQueueFull);
  CHECK(fixture.run());
  CHECK(!fixture.submit(5, {3}, 2));
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(5).ends.size(), 1u);
}

TEST("a stop string ends the request and is not part of its text") {
  const Story whole = alone(fake_prompt(9, 4), 30, 0, 1);
  const std::size_t middle = whole.text.find(" t", 20);
  const std::string stop = whole.text.substr(middle, 9);
  EngineFixture fixture(fake_limits(1));
  fixture.submit(1, fake_prompt(9, 4), 30, 0, {stop});
  CHECK(fixture.run());
  CHECK(fixture.story(1).ends.at(0).reason == FinishReason::kStop);
  CHECK_EQ(fixture.story(1).text, whole.text.substr(0, whole.text.find(stop)));
}

TEST("a cancel during a long prefill computes at most one more chunk") {
  EngineFixture fixture(fake_limits(2, 4096, 512));
  fixture.submit(1, fake_prompt(3600, 5), 5);
  fixture.engine->step();
  fixture.engine->step();
  const std::int64_t before = fixture.backend->prefill_rows;
  fixture.cancel(1);
  CHECK(fixture.run());
  CHECK(fixture.backend->prefill_rows - before <= 512);
  CHECK(fixture.story(1).ends.at(0).reason == FinishReason::kCancelled);
  CHECK_EQ(fixture.engine->stats().cache.cells_used, 0);
}

TEST("short prompts share prefill passes") {
  EngineFixture fixture(fake_limits(16, 512, 512));
  for (RequestId id = 1; id <= 16; ++id) fixture.submit(id, fake_prompt(33, id), 1);
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->prefill_calls, 1);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("an unread request pauses at 257 tokens and continues when read") {
  EngineFixture fixture(fake_limits(1, 2048));
  fixture.sink.acknowledge = false;
  fixture.submit(1, fake_prompt(10, 6), 600);
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(1).tokens.size(), 257u);
  CHECK(fixture.story(1).ends.empty());
  CHECK(fixture.sink.controls[1]->wants_wake.load());
  fixture.sink.acknowledge = true;
  fixture.sink.controls[1]->acknowledged = 257;
  CHECK(fixture.run());
  EngineFixture reference(fake_limits(1, 2048));
  reference.submit(1, fake_prompt(10, 6), 600);
  CHECK(reference.run());
  CHECK(fixture.story(1).tokens == reference.story(1).tokens);
}

TEST("an unread request releases its sequence to a waiting one and later continues") {
  EngineFixture fixture(fake_limits(1, 2048));
  fixture.sink.acknowledge = false;
  fixture.submit(1, fake_prompt(10, 7), 400, 0.8f);
  CHECK(fixture.run());
  fixture.submit(2, fake_prompt(12, 8), 20);
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(2).ends.size(), 1u);
  CHECK_EQ(fixture.engine->stats().preemptions, 1);
  CHECK_EQ(fixture.backend->saves, 1);
  fixture.sink.acknowledge = true;
  fixture.sink.controls[1]->acknowledged = 257;
  CHECK(fixture.run());
  EngineFixture reference(fake_limits(1, 2048));
  reference.submit(1, fake_prompt(10, 7), 400, 0.8f);
  CHECK(reference.run());
  CHECK(fixture.story(1).tokens == reference.story(1).tokens);
  CHECK_EQ(fixture.story(1).ends.size(), 1u);
  // Nothing was computed twice: 10 rows of the first prompt, 12 of the second.
  CHECK_EQ(fixture.engine->stats().prompt_tokens_computed, 22);
}

TEST("a poisonous request fails alone, whatever the failure") {
  for (const DecodeStatus status : {DecodeStatus::kFailed, DecodeStatus::kInvalid}) {
    EngineFixture fixture(fake_limits(6));
    fixture.backend->poison(49, status);
    for (RequestId id = 1; id <= 6; ++id) {
      auto prompt = fake_prompt(20, id);
      fixture.submit(id, id == 3 ? with_last(prompt, 49) : prompt, 15);
    }
    CHECK(fixture.run());
    CHECK_EQ(fixture.story(3).ends.size(), 1u);
    CHECK(fixture.story(3).ends.at(0).failure.has_value());
    for (const RequestId id : {1u, 2u, 4u, 5u, 6u}) {
      auto tokens = fixture.story(id).tokens;
      const bool spoilt = std::find(tokens.begin(), tokens.end(), 49) != tokens.end();
      if (spoilt) continue;  // it generated the poison itself
      CHECK(tokens == alone(fake_prompt(20, id), 15, 0, id).tokens);
    }
  }
}

TEST("a lack of cells preempts the youngest request, which later continues") {
  EngineFixture fixture(fake_limits(3));
  for (RequestId id = 1; id <= 3; ++id) fixture.submit(id, fake_prompt(8, id), 12);
  fixture.engine->step();
  fixture.engine->step();
  fixture.backend->poison(fixture.story(3).tokens.back(), DecodeStatus::kNoRoom);
  fixture.engine->step();
  fixture.backend->poison(-1, DecodeStatus::kNoRoom);
  CHECK(fixture.run());
  CHECK(fixture.engine->stats().preemptions >= 1);
  for (RequestId id = 1; id <= 3; ++id)
    CHECK(fixture.story(id).tokens == alone(fake_prompt(8, id), 12, 0, id).tokens);
}

TEST("a request of another can finish while a lagging neighbour is padded over") {
  EngineFixture fixture(fake_limits(3, 2048));
  fixture.submit(1, fake_prompt(4, 1), 700);
  fixture.submit(2, fake_prompt(4, 2), 700);
  fixture.submit(3, fake_prompt(4, 3), 700);
  fixture.sink.controls.erase(2);  // the middle one is not read
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(1).tokens.size(), 700u);
  CHECK_EQ(fixture.story(3).tokens.size(), 700u);
  CHECK_EQ(fixture.story(2).tokens.size(), 257u);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("close ends every request as cancelled exactly once and refuses new ones") {
  EngineFixture fixture(fake_limits(4, 4096));
  fixture.engine->start();
  for (RequestId id = 1; id <= 40; ++id) fixture.submit(id, fake_prompt(50, id), 3000);
  fixture.engine->close();
  for (RequestId id = 1; id <= 40; ++id) {
    CHECK_EQ(fixture.story(id).ends.size(), 1u);
    CHECK(fixture.story(id).ends.at(0).reason == FinishReason::kCancelled);
  }
  const auto refused = fixture.submit(41, {3}, 1);
  CHECK(refused && refused->code == ErrorCode::kEngineClosed);
}

TEST("a device that fails every pass breaks the engine and ends every request with an error") {
  EngineFixture fixture(fake_limits(12));
  fixture.backend->poison(7, DecodeStatus::kFailed);
  for (RequestId id = 1; id <= 12; ++id) fixture.submit(id, {7}, 5);
  fixture.engine->start();
  fixture.sink.wait_for_stories(12);
  fixture.engine->close();
  int broken = 0;
  for (RequestId id = 1; id <= 12; ++id) {
    CHECK_EQ(fixture.story(id).ends.size(), 1u);
    if (fixture.story(id).ends.at(0).failure->code == ErrorCode::kEngineBroken) ++broken;
  }
  CHECK(broken > 0);
  CHECK(fixture.submit(13, {3}, 1)->code == ErrorCode::kEngineBroken);
}

TEST("short steps share a publication, a first token and an end wait for nothing") {
  EngineFixture fixture(fake_limits(1), 10, 5);
  fixture.submit(1, {5}, 21);
  for (int step = 0; step < 21; ++step) {
    fixture.engine->step();
    if (step == 0) CHECK_EQ(fixture.story(1).tokens.size(), 1u);
    fixture.clock += 1;
  }
  CHECK_EQ(fixture.story(1).tokens.size(), 21u);
  CHECK_EQ(fixture.story(1).ends.size(), 1u);
  CHECK(fixture.sink.publications <= 6);
}

TEST("nothing is held back when the engine stops computing") {
  EngineFixture fixture(fake_limits(1, 2048), 10, 5);
  fixture.sink.acknowledge = false;
  fixture.submit(1, fake_prompt(10, 6), 600);
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(1).tokens.size(), 257u);
}

TEST("prompts that would round differently share no pass, short ones do") {
  BackendLimits limits = fake_limits(4, 512, 512);
  limits.facts.wide_rows = 64;
  EngineFixture fixture(limits);
  fixture.submit(1, fake_prompt(100, 1), 1);
  fixture.submit(2, fake_prompt(130, 2), 1);  // would leave 30 rows behind
  fixture.submit(3, fake_prompt(40, 3), 1);
  fixture.submit(4, fake_prompt(40, 4), 1);
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->prefill_calls, 3);
  CHECK_EQ(fixture.backend->prefill_rows, 310);
}

TEST("no pass has more rows than the backend takes, wherever its rounding changes") {
  for (const std::int32_t chunk : {3, 16, 63, 64, 100}) {
    for (const std::int32_t wide : {1, 2, 64}) {
      BackendLimits limits = fake_limits(3, 256, chunk);
      limits.facts.wide_rows = wide;
      EngineFixture fixture(limits);
      // The short prompt leaves part of the step's budget to the long ones.
      for (RequestId id = 1; id <= 9; ++id)
        fixture.submit(id, fake_prompt(id % 3 == 1 ? 10 : 80 + 17 * id, id), 3);
      CHECK(fixture.run());
      CHECK_EQ(fixture.backend->rule_breaks, 0);
      CHECK_EQ(fixture.engine->stats().failed_passes, 0);
    }
  }
}

TEST("a prompt's first token comes with its last prefill pass") {
  EngineFixture fixture(fake_limits(1, 512, 64));
  fixture.submit(1, fake_prompt(64, 1), 3);
  fixture.engine->step();
  CHECK_EQ(fixture.story(1).tokens.size(), 1u);
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->decode_calls, 2);
}
