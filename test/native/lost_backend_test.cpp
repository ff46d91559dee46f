// A pass that is lost (DecodeStatus::kLost) is its backend's last call, whatever the engine and its
// draft model were doing.
#include <atomic>
#include <thread>
#include <utility>

#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

// A lost pass of rows with padding between them, of a pool, with draft tokens, or while the engine
// closes.
TEST("after a lost pass no function of its backend is called") {
  constexpr RequestId kStreams = 9;
  for (const bool pool : {false, true}) {
    for (const bool overlaps : {false, true}) {
      for (const bool drafts : {false, true}) {
        bool reached = true;
        std::int64_t padded = 0;
        for (int at = 0; reached; at += 1 + at / 8) {
          RecordingSink sink;
          BackendLimits limits = fake_limits(kStreams, 128, 32);
          limits.facts.asynchronous = overlaps;
          if (drafts) limits.prefill_outputs = 64;
          if (pool) limits = pooled(limits);
          auto owned = std::make_unique<FakeBackend>(limits);
          FakeBackend* backend = owned.get();
          int passes = 0;
          backend->mishap = [&] {
            return passes++ >= at ? DecodeStatus::kLost : DecodeStatus::kOk;
          };
          EngineConfig config{.publish_interval_ms = 0, .check_ledger = true};
          config.drafting.enabled = drafts;
          config.drafting.draft_length = 2;
          Engine engine(std::move(owned), std::make_shared<FakeVocab>(50), sink, config,
                        [] { return 0.0; });
          // The one in the middle ends first.
          for (RequestId id = 1; id <= (drafts ? 4 : kStreams); ++id)
            CHECK(!engine.submit(id, fake_prompt(10 + id, id), greedy(id == 5 ? 3 : 12),
                                 sink.control(id)));
          engine.start();
          sink.wait_for_ends(drafts ? 4 : kStreams);
          engine.close();
          reached = engine.broken();
          padded += engine.stats().padding_rows;
          CHECK_EQ(backend->rule_breaks, 0);
          CHECK_EQ(passes > at, reached);
        }
        CHECK_EQ(padded > 0, !pool && !drafts);
      }
    }
  }
}

TEST("a pass that is lost while the engine closes is its backend's last") {
  for (int at = 0; at < 4; ++at) {
    RecordingSink sink;
    auto owned = std::make_unique<FakeBackend>(fake_limits(2, 256, 32));
    FakeBackend* backend = owned.get();
    std::atomic<bool> reached = false;
    int passes = 0;
    backend->mishap = [&] {
      if (passes++ < at) return DecodeStatus::kOk;
      reached = true;
      while (!backend->interrupted()) std::this_thread::yield();
      return DecodeStatus::kLost;
    };
    Engine engine(std::move(owned), std::make_shared<FakeVocab>(50), sink,
                  {.publish_interval_ms = 0, .check_ledger = true}, [] { return 0.0; });
    for (const RequestId id : {1u, 2u})
      CHECK(!engine.submit(id, fake_prompt(100, id), greedy(12), sink.control(id)));
    engine.start();
    while (!reached) std::this_thread::yield();
    engine.close();
    CHECK_EQ(backend->rule_breaks, 0);
    for (const RequestId id : {1u, 2u}) CHECK_EQ(sink.story(id).ends.size(), 1u);
  }
}

TEST("a draft model whose backend is lost is never called again, and no request ends for it") {
  for (const bool probed : {false, true}) {
    for (const bool overlaps : {false, true}) {
      bool reached = true;
      for (int at = 0; reached; at += 1 + at / 8) {
        BackendLimits limits = fake_limits(3, 256, 32);
        limits.prefill_outputs = 64;
        limits.facts.asynchronous = overlaps;
        auto owned = std::make_unique<FakeBackend>(limits);
        owned->strays = 6;
        EngineFixture fixture(limits, 100, 0, EngineConfig{}.cache, true, std::move(owned),
                              probed ? 0 : 3);
        fixture.backend->computing = [&](std::size_t) { fixture.clock += 10; };
        int passes = 0;
        fixture.draft->mishap = [&] {
          fixture.clock += 1;
          return passes++ >= at ? DecodeStatus::kLost : DecodeStatus::kOk;
        };
        for (RequestId id = 1; id <= 6; ++id)
          CHECK(!fixture.submit(id, fake_prompt(20, id), static_cast<std::int32_t>(8 + 4 * id)));
        CHECK(fixture.run());
        for (RequestId id = 1; id <= 6; ++id) {
          CHECK(fixture.story(id).ends.at(0).reason == FinishReason::kLength);
          CHECK(fixture.story(id).tokens ==
                tokens_alone(fake_prompt(20, id), static_cast<std::int32_t>(8 + 4 * id)));
        }
        reached = passes > at;
        CHECK_EQ(fixture.engine->stats().draft_failures, reached ? 1 : 0);
        CHECK_EQ(fixture.draft->rule_breaks, 0);
        fixture.engine->close();
        CHECK_EQ(fixture.draft->rule_breaks, 0);
      }
    }
  }
}
