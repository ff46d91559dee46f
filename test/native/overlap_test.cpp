// A backend that computes while the engine works: what is done meanwhile, and that rows, passes and
// texts are the same as with one that does not.
#include <random>
#include <utility>

#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

BackendLimits asynchronous(BackendLimits limits) {
  limits.facts.asynchronous = true;
  return limits;
}

// Every row that was computed, and every text.
struct Trace {
  std::vector<std::vector<TokenId>> passes;
  std::map<RequestId, std::vector<TokenId>> texts;
  std::int64_t steps = 0;
};

std::unique_ptr<FakeBackend> draft_of(bool drafts, bool overlaps) {
  if (!drafts) return nullptr;
  BackendLimits limits = fake_limits(4, 600, 64);
  limits.prefill_outputs = 64;
  limits.facts.asynchronous = overlaps;
  auto backend = std::make_unique<FakeBackend>(limits);
  backend->strays = 6;
  return backend;
}

struct Case {
  bool pool = false;
  bool drafts = false;
  std::int32_t wide_rows = 1;
  std::uint64_t mishap = 0;  // one pass in so many fails; 0: none
};

// Requests that come, fork and are cancelled between steps.
Trace drive(const Case& how, bool overlaps) {
  BackendLimits limits = fake_limits(6, 600, 64);
  if (how.drafts) limits.prefill_outputs = 64;
  limits.facts.asynchronous = overlaps;
  limits.facts.wide_rows = how.wide_rows;
  if (how.pool) limits = pooled(limits, 3 * 600);
  EngineFixture fixture(limits, 1000, 0, EngineConfig{}.cache, how.drafts,
                        draft_of(how.drafts, overlaps), how.drafts ? 3 : 0);
  std::mt19937_64 random(11);
  std::mt19937_64 fates(12);
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  Trace trace;
  if (how.mishap > 0) {
    fixture.backend->mishap = [&] {
      if (fates() % how.mishap > 0) return DecodeStatus::kOk;
      return fates() % 2 == 0 ? DecodeStatus::kFailed : DecodeStatus::kInvalid;
    };
  }
  fixture.backend->computing = [&](std::size_t) {
    std::vector<TokenId>& pass = trace.passes.emplace_back();
    for (const BatchRow& row : fixture.backend->rows())
      pass.insert(pass.end(), {row.token, row.sequence, row.position});
  };
  RequestId next = 1;
  for (int step = 0; step < 1500; ++step) {
    if (below(4) == 0)
      CHECK(!fixture.submit(next++, fake_prompt(1 + below(150), below(5)),
                            static_cast<std::int32_t>(1 + below(40))));
    if (below(30) == 0 && next > 1) fixture.cancel(1 + below(next - 1));
    if (below(30) == 0 && next > 1) {
      const RequestId source = 1 + below(next - 1);
      CHECK(!fixture.engine->fork(source, next, next, fixture.sink.control(next)));
      ++next;
    }
    fixture.engine->step();
  }
  CHECK(fixture.run());
  CHECK_EQ(fixture.backend->rule_breaks, 0);
  if (fixture.draft != nullptr) CHECK_EQ(fixture.draft->rule_breaks, 0);
  for (RequestId id = 1; id < next; ++id) {
    CHECK_EQ(fixture.story(id).ends.size(), 1u);
    trace.texts[id] = fixture.story(id).tokens;
  }
  CHECK_EQ(fixture.sink.deltas_before_acceptance, 0);
  trace.steps = fixture.engine->stats().steps;
  CHECK_EQ(fixture.engine->stats().overlapped_ms, 0.0);  // the clock stands
  return trace;
}

}  // namespace

TEST("rows, passes and texts are the same whether passes overlap with the engine's work or not") {
  for (const bool pool : {false, true}) {
    for (const Case& how : {Case{pool}, Case{pool, true}, Case{pool, false, 8},
                            Case{pool, false, 1, 15}, Case{pool, true, 1, 15}}) {
      const Trace apart = drive(how, false);
      const Trace overlapped = drive(how, true);
      CHECK(apart.passes.size() > 1000);
      CHECK(apart.passes == overlapped.passes);
      CHECK(apart.texts == overlapped.texts);
      CHECK_EQ(apart.steps, overlapped.steps);
    }
  }
}

TEST("tokens are published and requests admitted while the next pass is computed") {
  EngineFixture fixture(asynchronous(fake_limits(2)));
  CHECK(!fixture.submit(1, fake_prompt(10, 1), 20));
  fixture.engine->step();
  CHECK_EQ(fixture.sink.accepted[1], 1);
  CHECK_EQ(fixture.story(1).tokens.size(), 0u);  // its first token waits for the next pass
  fixture.backend->submitted = [&] {
    if (fixture.sink.controls.size() == 1) CHECK(!fixture.submit(2, fake_prompt(10, 2), 20));
  };
  int waited = 0;
  fixture.backend->waiting = [&] {
    if (++waited > 1) return;
    CHECK_EQ(fixture.story(1).tokens.size(), 1u);
    CHECK_EQ(fixture.sink.accepted[2], 1);
    CHECK_EQ(fixture.engine->stats().waiting, 1);
  };
  fixture.engine->step();
  CHECK_EQ(waited, 1);
  CHECK(fixture.run());
  CHECK_EQ(fixture.story(1).tokens.size(), 20u);
  CHECK_EQ(fixture.story(2).tokens.size(), 20u);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("a fork and a call wait until the pass has ended, and keep their order") {
  EngineFixture fixture(asynchronous(fake_limits(4)));
  CHECK(!fixture.submit(1, fake_prompt(10, 1), 20));
  fixture.engine->step();
  bool in_flight = false, called_in_flight = false;
  std::vector<RequestId> accepted_at_call;
  fixture.backend->submitted = [&, told = false]() mutable {
    in_flight = true;
    if (std::exchange(told, true)) return;
    CHECK(!fixture.submit(2, fake_prompt(10, 2), 5));
    fixture.engine->call([&](KvCache* cache) {
      CHECK(cache != nullptr);
      called_in_flight = in_flight;
      for (const auto& [id, times] : fixture.sink.accepted) accepted_at_call.push_back(id);
    });
    CHECK(!fixture.engine->fork(1, 3, 3, fixture.sink.control(3)));
  };
  fixture.backend->waiting = [&] { in_flight = false; };
  CHECK(fixture.run());
  CHECK(!called_in_flight);
  CHECK((accepted_at_call == std::vector<RequestId>{1, 2}));
  CHECK_EQ(fixture.story(3).tokens.size(), 20u);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("an engine with nothing more to compute publishes at once") {
  EngineFixture fixture(asynchronous(fake_limits(2)));
  CHECK(!fixture.submit(1, fake_prompt(10, 1), 3));
  for (int step = 0; step < 3; ++step) fixture.engine->step();
  CHECK_EQ(fixture.story(1).tokens.size(), 3u);
  CHECK_EQ(fixture.story(1).ends.size(), 1u);
  CHECK_EQ(fixture.sink.publications, 4);  // its acceptance, and each token
}

TEST("the statistics divide a step's time into llama_decode, sampling and the rest") {
  for (const bool overlaps : {false, true}) {
    BackendLimits limits = fake_limits(1);
    limits.facts.asynchronous = overlaps;
    EngineFixture fixture(limits);
    fixture.backend->submitted = [&] { fixture.clock += 2; };
    fixture.backend->waiting = [&] { fixture.clock += 10; };
    CHECK(!fixture.submit(1, fake_prompt(10, 1), 4));
    fixture.engine->call([&](KvCache*) { fixture.clock += 5; });
    CHECK(fixture.run());
    const EngineStats stats = fixture.engine->stats();
    CHECK_EQ(stats.prefill_ms, 12.0);
    CHECK_EQ(stats.decode_ms, 36.0);
    CHECK_EQ(stats.submit_ms, overlaps ? 8.0 : 48.0);
    CHECK_EQ(stats.sample_ms, 0.0);
    CHECK_EQ(stats.other_ms, 5.0);
  }
}

TEST("a device that fails while it is waited for costs as few requests as one that fails at once") {
  for (const bool overlaps : {false, true}) {
    BackendLimits limits = fake_limits(4);
    limits.facts.asynchronous = overlaps;
    EngineFixture fixture(limits);
    fixture.backend->poison(49, DecodeStatus::kFailed);
    auto poisoned = fake_prompt(10, 9);
    poisoned[5] = 49;
    CHECK(!fixture.submit(1, fake_prompt(10, 1), 20));
    CHECK(!fixture.submit(2, poisoned, 20));
    CHECK(!fixture.submit(3, fake_prompt(10, 3), 20));
    CHECK(fixture.run());
    CHECK(fixture.story(2).ends.at(0).reason == FinishReason::kError);
    for (const RequestId id : {1, 3}) {
      CHECK(fixture.story(id).ends.at(0).reason == FinishReason::kLength);
      CHECK_EQ(fixture.story(id).tokens.size(), 20u);
    }
    CHECK_EQ(fixture.engine->stats().cache.cells_used, 0);
  }
}
