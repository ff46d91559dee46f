// When a request is told to be accepted: once, before anything else of it, soon, and at no
// publication of its own where the engine is busy.
#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

GenerateParams embedding() {
  GenerateParams params;
  params.embeds = true;
  return params;
}

}  // namespace

TEST("a request is accepted before the pass that reads its prompt") {
  EngineFixture fixture(fake_limits(1, 512, 32));
  bool told = true;
  fixture.backend->mishap = [&] {
    told = told && fixture.sink.accepted[1] == 1;
    return DecodeStatus::kOk;
  };
  CHECK(!fixture.submit(1, fake_prompt(200, 1), 3));
  CHECK(fixture.sink.accepted.empty());
  CHECK(fixture.run());
  CHECK(told);
  CHECK_EQ(fixture.sink.accepted[1], 1);
}

TEST("requests that wait for a slot are accepted in the step after they came") {
  EngineFixture fixture(fake_limits(1));
  CHECK(!fixture.submit(1, fake_prompt(10, 1), 100));
  fixture.engine->step();
  for (RequestId id = 2; id <= 9; ++id) CHECK(!fixture.submit(id, fake_prompt(10, id), 5));
  fixture.engine->step();
  for (RequestId id = 2; id <= 9; ++id) CHECK_EQ(fixture.sink.accepted[id], 1);
  CHECK_EQ(fixture.engine->stats().waiting, 8);
  CHECK_EQ(fixture.story(1).tokens.size(), 2u);
}

TEST("requests that come while a long prompt is read are accepted before its next chunk") {
  EngineFixture fixture(fake_limits(2, 4096, 64));
  CHECK(!fixture.submit(1, fake_prompt(3000, 1), 1));
  for (int step = 0; step < 3; ++step) fixture.engine->step();
  CHECK(!fixture.submit(2, fake_prompt(10, 2), 1));
  bool told = true;
  fixture.backend->mishap = [&] {
    told = told && fixture.sink.accepted[2] == 1;
    return DecodeStatus::kOk;
  };
  fixture.engine->step();
  CHECK(told);
}

TEST("acceptances travel with tokens: a request in each step publishes nothing more") {
  for (const std::int32_t max_tokens : {1, 20}) {
    EngineFixture fixture(fake_limits(4));
    RequestId next = 1;
    for (int step = 0; step < 300; ++step) {
      CHECK(!fixture.submit(next, fake_prompt(5, next), max_tokens));
      ++next;
      CHECK(fixture.engine->step());
    }
    CHECK(fixture.run());
    for (RequestId id = 1; id < next; ++id) CHECK_EQ(fixture.sink.accepted[id], 1);
    CHECK_EQ(fixture.sink.deltas_before_acceptance, 0);
    // The one more: the first request came to an idle engine.
    CHECK(fixture.sink.publications <= fixture.engine->stats().steps + 1);
  }
}

TEST("an acceptance shares the publications of short steps") {
  EngineFixture fixture(fake_limits(2), 100, 5);
  CHECK(!fixture.submit(1, {5}, 200));
  fixture.engine->step();
  const std::int64_t before = fixture.sink.publications;
  for (RequestId id = 2; id < 42; ++id) {
    CHECK(!fixture.submit(id, fake_prompt(10, id), 0));
    fixture.engine->step();
    fixture.clock += 1;
  }
  // Every 5 ms, and the first token of the one request that had the other slot.
  CHECK(fixture.sink.publications - before <= 40 / 5 + 2);
  fixture.clock += 5;
  fixture.engine->step();
  for (RequestId id = 1; id < 42; ++id) CHECK_EQ(fixture.sink.accepted[id], 1);
}

TEST("embeddings are accepted with their end, at no publication of their own") {
  EngineFixture fixture(fake_limits(4));
  for (RequestId id = 1; id <= 4; ++id)
    CHECK(!fixture.submit(id, fake_prompt(20, id), embedding()));
  CHECK(fixture.run());
  for (RequestId id = 1; id <= 4; ++id) CHECK_EQ(fixture.sink.accepted[id], 1);
  CHECK_EQ(fixture.sink.ended, 4u);
  CHECK(fixture.sink.publications <= fixture.engine->stats().steps);
}

TEST("a fork is accepted, one that comes too late is not") {
  EngineFixture fixture(fake_limits(2));
  CHECK(!fixture.submit(1, fake_prompt(10, 1), 10));
  fixture.engine->step();
  CHECK(!fixture.engine->fork(1, 2, 7, fixture.sink.control(2)));
  CHECK(fixture.run());
  CHECK(!fixture.engine->fork(1, 3, 7, fixture.sink.control(3)));
  CHECK(fixture.run());
  CHECK_EQ(fixture.sink.accepted[2], 1);
  CHECK_EQ(fixture.sink.accepted[3], 0);
  CHECK(fixture.story(3).ends.at(0).failure->code == ErrorCode::kInvalidOption);
  CHECK_EQ(fixture.sink.deltas_before_acceptance, 0);
}

TEST("a request is accepted even if it was cancelled before the engine looked") {
  EngineFixture fixture(fake_limits(1));
  CHECK(!fixture.submit(1, fake_prompt(10, 1), 10));
  fixture.cancel(1);
  CHECK(fixture.run());
  CHECK_EQ(fixture.sink.accepted[1], 1);
  CHECK(fixture.story(1).ends.at(0).reason == FinishReason::kCancelled);
  CHECK_EQ(fixture.sink.publications, 1);
}
