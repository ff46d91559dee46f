// A failure ends the requests it concerns and no others: failing passes, states that cannot be
// truncated, a ledger that does not balance, and exceptions from any call. Every accepted request
// ends exactly once.
#include <stdexcept>
#include <utility>

#include "check.h"
#include "engine_fixture.h"
#include "throwing_backend.h"

using namespace infernode;

namespace {

// Everything an engine is asked for: requests, forks and calls, one behind the other. Counts
// how the calls were answered.
struct Demands {
  static constexpr RequestId kRequests = 9;

  void make(Engine& engine, RecordingSink& sink) {
    for (RequestId id = 1; id <= kRequests; ++id) {
      CHECK(!ask(engine, sink, id));
      engine.call([this](KvCache*) { ++answered; });
      ++calls;
    }
  }

  static std::optional<Failure> ask(Engine& engine, RecordingSink& sink, RequestId id) {
    if (id % 3 == 0) return engine.fork(id - 2, id, id, sink.control(id));
    return engine.submit(id, fake_prompt(40, id / 2), greedy(12), sink.control(id));
  }

  void check_ended(RecordingSink& sink) const {
    for (RequestId id = 1; id <= kRequests; ++id) CHECK_EQ(sink.story(id).ends.size(), 1u);
    CHECK_EQ(answered.load(), calls);
  }

  std::atomic<int> answered = 0;
  int calls = 0;
};

}  // namespace

TEST("an isolated request does not wait for an older one, which would not run") {
  EngineFixture fixture(fake_limits(2, 1024, 64), 1000, 0, {.keeps_prefixes = true});
  const std::vector<TokenId> older = fake_prompt(100, 1);
  fixture.sink.acknowledge = false;
  CHECK(!fixture.submit(1, older, greedy(400)));  // whose reader lags
  CHECK(fixture.run());
  fixture.sink.acknowledge = true;
  std::vector<TokenId> alike(older.begin(), older.begin() + 90);
  alike.push_back(7);
  CHECK(!fixture.submit(2, fake_prompt(90, 2), greedy(6)));
  CHECK(!fixture.submit(3, alike, greedy(50)));
  while (fixture.story(3).tokens.size() < 3) fixture.engine->step();
  fixture.backend->poison(fixture.story(2).tokens.back(), DecodeStatus::kFailed);
  fixture.engine->step();                       // both are isolated now
  fixture.sink.control(1)->acknowledged = 257;  // the oldest goes on
  fixture.backend->poison(fake_prompt(90, 2)[0], DecodeStatus::kNoRoom);
  fixture.engine->step();  // the youngest gives way
  fixture.backend->poison(-1, DecodeStatus::kOk);
  CHECK(fixture.run(5000));
  for (const RequestId id : {1u, 2u, 3u}) CHECK_EQ(fixture.story(id).ends.size(), 1u);
  CHECK(fixture.story(3).tokens == tokens_alone(alike, 50));
}

TEST("unread requests release their cells to a waiting one") {
  EngineFixture fixture(pooled(fake_limits(3, 512, 64), 640), 1000, 0, {.keeps_prefixes = true});
  fixture.sink.acknowledge = false;
  CHECK(!fixture.submit(1, fake_prompt(200, 1), greedy(300)));
  CHECK(fixture.run());  // it is paused and has 456 cells
  fixture.sink.control(2)->acknowledged = 1000;
  CHECK(!fixture.submit(2, fake_prompt(200, 2), greedy(20)));
  CHECK(fixture.run(5000));
  CHECK_EQ(fixture.story(2).tokens.size(), 20u);
  fixture.sink.control(1)->acknowledged = 1000;
  CHECK(fixture.run());
  CHECK(fixture.story(1).tokens == tokens_alone(fake_prompt(200, 1), 300));
}

TEST("a request that never gets enough cells ends alone, however many others run") {
  EngineFixture fixture(fake_limits(32));
  fixture.backend->poison(49, DecodeStatus::kNoRoom);
  for (RequestId id = 1; id <= 32; ++id) {
    std::vector<TokenId> prompt = fake_prompt(20, id);
    if (id == 5) prompt.back() = 49;
    CHECK(!fixture.submit(id, prompt, greedy(4)));
  }
  CHECK(fixture.run());
  CHECK(fixture.story(5).ends.at(0).failure.value().code == ErrorCode::kDecodeFailed);
  for (RequestId id = 1; id <= 32; ++id) {
    CHECK_EQ(fixture.story(id).ends.size(), 1u);
    const std::vector<TokenId>& tokens = fixture.story(id).tokens;
    const bool spoilt = id == 5 || std::ranges::find(tokens, 49) != tokens.end();
    if (!spoilt) CHECK(tokens == tokens_alone(fake_prompt(20, id), 4));
  }
}

TEST("padding that cannot be truncated clears the sequence, which is computed again") {
  EngineFixture fixture(fake_limits(8, 1024));
  // Eight that end one after the other leave holes, which are padded over.
  for (RequestId id = 1; id <= 8; ++id)
    CHECK(!fixture.submit(id, fake_prompt(40, id), greedy(id == 4 ? 10 : 60)));
  while (fixture.story(4).ends.empty()) fixture.engine->step();
  fixture.backend->only_clears = true;
  for (int step = 0; step < 10; ++step) fixture.engine->step();
  CHECK(fixture.engine->stats().padding_rows > 0);
  fixture.backend->only_clears = false;
  std::vector<TokenId> next = fake_prompt(40, 4);
  const std::vector<TokenId>& answer = fixture.story(4).tokens;
  next.insert(next.end(), answer.begin(), answer.end());
  CHECK(!fixture.submit(9, next, greedy(20)));
  CHECK(fixture.run());
  CHECK(fixture.story(9).tokens == tokens_alone(next, 20));
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("a failed pass leaves nothing of a prefix that it padded over") {
  EngineFixture fixture(fake_limits(8, 1024));
  for (RequestId id = 1; id <= 8; ++id)
    CHECK(!fixture.submit(id, fake_prompt(40, id), greedy(id == 4 ? 10 : 60)));
  while (fixture.story(4).ends.empty()) fixture.engine->step();
  const std::int64_t before = fixture.engine->stats().padding_rows;
  fixture.engine->step();
  CHECK(fixture.engine->stats().padding_rows > before);
  bool fails = true;
  fixture.backend->mishap = [&fails] {
    return std::exchange(fails, false) ? DecodeStatus::kFailed : DecodeStatus::kOk;
  };
  CHECK(fixture.run());
  std::vector<TokenId> next = fake_prompt(40, 4);
  const std::vector<TokenId>& answer = fixture.story(4).tokens;
  next.insert(next.end(), answer.begin(), answer.end());
  CHECK(!fixture.submit(9, next, greedy(20)));
  CHECK(fixture.run());
  for (RequestId id = 1; id <= 8; ++id)
    CHECK(fixture.story(id).tokens == tokens_alone(fake_prompt(40, id), id == 4 ? 10 : 60));
  CHECK(fixture.story(9).tokens == tokens_alone(next, 20));
}

TEST("rejected draft tokens that cannot be truncated cost the request what it has computed") {
  BackendLimits limits = fake_limits(1, 1024);
  limits.prefill_outputs = 64;
  auto draft = std::make_unique<FakeBackend>(limits);
  draft->strays = 3;
  EngineFixture fixture(limits, 1000, 0, EngineConfig{}.cache, true, std::move(draft), 4);
  fixture.backend->only_clears = true;
  CHECK(!fixture.submit(1, fake_prompt(40, 1), greedy(60)));
  CHECK(fixture.run());
  CHECK(fixture.engine->stats().model_drafted_tokens > 0);
  CHECK(fixture.story(1).tokens == tokens_alone(fake_prompt(40, 1), 60));
}

TEST("books that do not balance break the engine when it falls idle, and are named") {
  RecordingSink sink;
  auto owned = std::make_unique<FakeBackend>(fake_limits(2));
  FakeBackend* backend = owned.get();
  Engine engine(std::move(owned), std::make_shared<FakeVocab>(50), sink, {.publish_interval_ms = 0},
                [] { return 0.0; });
  backend->computing = [backend](std::size_t) { backend->leak(1); };
  engine.start();
  CHECK(!engine.broken());
  CHECK(!engine.submit(1, fake_prompt(40, 1), greedy(5), sink.control(1)));
  sink.wait_for_end(1);
  CHECK(sink.story(1).ends.at(0).reason == FinishReason::kLength);
  std::optional<Failure> refused;
  for (RequestId id = 2; !refused; ++id) {  // until it has noticed
    refused = engine.submit(id, fake_prompt(10, id), greedy(1), sink.control(id));
    if (!refused) sink.wait_for_end(id);
  }
  CHECK(refused->code == ErrorCode::kEngineBroken);
  CHECK(refused->message.find("sequence 1 holds") != std::string::npos);
  CHECK(engine.broken());
}

TEST("bytes in host memory that no living request owns break the engine when it falls idle") {
  for (const bool pool : {false, true}) {
    EngineFixture fixture(pool ? pooled(fake_limits(2), 1024) : fake_limits(2));
    Request stray(9, fake_prompt(10, 9), greedy(1), fixture.sink.control(9), 50);
    stray.progress.saved = StateBytes(1);
    fixture.engine->call([&](KvCache* cache) { cache->drop_saved(stray); });
    CHECK(!fixture.submit(1, fake_prompt(40, 1), greedy(5)));
    std::string broken;
    try {
      fixture.run();
    } catch (const BrokenInvariant& error) {
      broken = error.what();
    }
    CHECK(broken.find("preempted requests own states of 0 bytes") != std::string::npos);
  }
}

TEST("a fork whose source cannot be saved ends normally, as do the requests queued behind it") {
  BackendLimits limits = fake_limits(2, 512, 64);
  limits.can_truncate = limits.rolls_back = false;
  RecordingSink sink;
  auto owned = std::make_unique<ThrowingBackend>(limits);
  ThrowingBackend* backend = owned.get();
  Engine engine(std::move(owned), std::make_shared<FakeVocab>(50), sink,
                {.publish_interval_ms = 0, .check_ledger = true}, [] { return 0.0; });
  CHECK(!engine.submit(1, fake_prompt(40, 1), greedy(60), sink.control(1)));
  for (int step = 0; step < 10; ++step) engine.step();
  bool called = false;
  backend->refuses_saves = true;
  CHECK(!engine.fork(1, 2, 5, sink.control(2)));
  CHECK(!engine.submit(3, fake_prompt(40, 2), greedy(10), sink.control(3)));
  engine.call([&](KvCache* cache) { called = cache != nullptr; });
  while (engine.step()) continue;
  CHECK(called);
  CHECK(sink.story(2).tokens == sink.story(1).tokens);
  for (const RequestId id : {1u, 2u, 3u})
    CHECK(sink.story(id).ends.at(0).reason == FinishReason::kLength);
}

TEST("whatever call of the backend throws, everything that was accepted ends exactly once") {
  for (const Thrown thrown : {Thrown::kNoMemory, Thrown::kError, Thrown::kNumber}) {
    for (const bool for_ever : {false, true}) {
      for (const bool pool : {false, true}) {
        for (const bool can_truncate : {true, false}) {
          if (pool && !can_truncate) continue;
          BackendLimits limits = fake_limits(3, 128, 32);
          limits.can_truncate = limits.rolls_back = can_truncate;
          if (pool) limits = pooled(limits, 160);
          bool reached = true;
          for (std::int64_t at = 0; reached; at += 1 + at / 8) {
            RecordingSink sink;
            auto owned = std::make_unique<ThrowingBackend>(limits);
            ThrowingBackend* backend = owned.get();
            Engine engine(std::move(owned), std::make_shared<FakeVocab>(50), sink,
                          {.publish_interval_ms = 0, .check_ledger = true}, [] { return 0.0; });
            backend->throw_at(backend->calls() + at, thrown, for_ever);
            Demands demands;
            demands.make(engine, sink);
            engine.start();
            sink.wait_for_ends(Demands::kRequests);
            engine.close();
            demands.check_ended(sink);
            reached = backend->has_thrown();
          }
        }
      }
    }
  }
}

TEST("close() ends what was asked of an engine that was never started") {
  EngineFixture fixture(fake_limits(2));
  Demands demands;
  demands.make(*fixture.engine, fixture.sink);
  fixture.engine->close();
  demands.check_ended(fixture.sink);
  CHECK(fixture.story(9).ends.at(0).reason == FinishReason::kCancelled);
  CHECK(fixture.sink.accepted.empty());
  CHECK(!fixture.engine->broken());
}

TEST("a call that throws breaks the engine and is not made again") {
  RecordingSink sink;
  Engine engine(std::make_unique<FakeBackend>(fake_limits(2)), std::make_shared<FakeVocab>(50),
                sink, {.publish_interval_ms = 0}, [] { return 0.0; });
  int calls = 0;
  engine.call([&](KvCache*) {
    ++calls;
    throw std::runtime_error("the call's own fault");
  });
  Demands demands;
  demands.make(engine, sink);
  engine.start();
  sink.wait_for_ends(Demands::kRequests);
  engine.close();
  demands.check_ended(sink);
  CHECK_EQ(calls, 1);
  CHECK(sink.story(9).ends.at(0).failure.value().message.find("own fault") != std::string::npos);
}

TEST("a device that fails one pass ends no request") {
  for (const DecodeStatus status : {DecodeStatus::kDeviceFailed, DecodeStatus::kNoMemory}) {
    for (const bool pool : {false, true}) {
      bool reached = true;
      for (int at = 0; reached; ++at) {
        const BackendLimits limits = fake_limits(3, 128, 32);
        EngineFixture fixture(pool ? pooled(limits, 300) : limits, 10, 0, {.keeps_prefixes = true});
        for (RequestId id = 1; id <= 4; ++id)
          CHECK(!fixture.submit(id, fake_prompt(40, id), greedy(6)));
        int passes = 0;
        fixture.backend->mishap = [&] { return passes++ == at ? status : DecodeStatus::kOk; };
        CHECK(fixture.run());
        for (RequestId id = 1; id <= 4; ++id) {
          CHECK_EQ(fixture.story(id).ends.size(), 1u);
          CHECK(fixture.story(id).tokens == tokens_alone(fake_prompt(40, id), 6));
        }
        reached = passes > at;
      }
    }
  }
}

TEST("a device that fails two passes in a row is lost: each request ends once, with the reason") {
  const auto code_of = [](DecodeStatus status) {
    return status == DecodeStatus::kNoMemory ? ErrorCode::kOutOfMemory : ErrorCode::kDeviceFailed;
  };
  for (const DecodeStatus status :
       {DecodeStatus::kDeviceFailed, DecodeStatus::kNoMemory, DecodeStatus::kLost}) {
    bool reached = true;
    for (int at = 0; reached; ++at) {
      RecordingSink sink;
      BackendLimits limits = fake_limits(3, 128, 32);
      limits.facts.where = "Device7";
      auto owned = std::make_unique<FakeBackend>(limits);
      const FakeBackend& backend = *owned;
      std::atomic<int> passes = 0;
      owned->mishap = [&] { return passes++ >= at ? status : DecodeStatus::kOk; };
      Engine engine(std::move(owned), std::make_shared<FakeVocab>(50), sink,
                    {.publish_interval_ms = 0, .check_ledger = true}, [] { return 0.0; });
      Demands demands;
      demands.make(engine, sink);
      engine.start();
      sink.wait_for_ends(Demands::kRequests);
      reached = engine.broken();
      const auto refused = engine.submit(99, fake_prompt(5, 1), greedy(1), sink.control(99));
      engine.close();
      demands.check_ended(sink);
      CHECK_EQ(backend.rule_breaks, 0);
      CHECK_EQ(refused.has_value(), reached);
      if (!refused) continue;
      CHECK(refused->code == code_of(status));
      CHECK(refused->message.find("Device7") != std::string::npos);
      // At most one pass was tried again.
      CHECK_EQ(passes.load(), at + (status == DecodeStatus::kLost ? 1 : 2));
      for (RequestId id = 1; id <= Demands::kRequests; ++id) {
        const auto& failure = sink.story(id).ends.front().failure;
        if (failure && failure->code != ErrorCode::kInvalidOption)  // a fork of one that has ended
          CHECK(failure->code == code_of(status));
      }
    }
  }
}
