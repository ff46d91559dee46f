// One pool of cells for all sequences: its books, and an engine that lives on it, over
// the fake backend, which counts cells for itself.
#include "core/cache/cell_pool.h"

#include <algorithm>
#include <random>
#include <set>

#include "check.h"
#include "engine_fixture.h"
#include "failing_allocations.h"

using namespace infernode;

TEST("a pool counts shared cells once, whatever is shared, truncated and computed with") {
  constexpr std::int32_t kSequences = 6, kCells = 200;
  CellPool pool(kSequences, kCells);
  // The same by brute force: positions as numbers that are never used twice.
  std::vector<std::vector<int>> cells(kSequences);
  std::vector<bool> busy(kSequences);
  int next = 0;
  std::mt19937_64 random(5);
  const auto counted = [&](bool only_busy) {
    std::set<int> all;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (!only_busy || busy[i]) all.insert(cells[i].begin(), cells[i].end());
    }
    return static_cast<std::int32_t>(all.size());
  };
  for (int step = 0; step < 20000; ++step) {
    const std::size_t one = random() % kSequences, other = random() % kSequences;
    const auto id = static_cast<SequenceId>(one);
    const auto count = static_cast<std::ptrdiff_t>(random() % (cells[other].size() + 1));
    const std::uint64_t kind = random() % 4;
    if (kind == 0) {
      busy[one] = !busy[one];
      pool.set_busy(id, busy[one]);
    } else if (kind == 1 && one != other) {
      pool.resize(id, 0);
      pool.share(static_cast<SequenceId>(other), id, static_cast<Position>(count));
      cells[one].assign(cells[other].begin(), cells[other].begin() + count);
    } else {
      const std::size_t most = cells[one].size() + static_cast<std::size_t>(pool.free());
      const std::size_t length = std::min<std::size_t>(random() % 60, most);
      pool.resize(id, static_cast<Position>(length));
      while (cells[one].size() < length) cells[one].push_back(next++);
      cells[one].resize(length);
    }
    CHECK_EQ(pool.free(), kCells - counted(false));
    CHECK_EQ(pool.busy(), counted(true));
    pool.check();
  }
  CHECK_THROWS(BrokenInvariant, pool.resize(0, kCells + 1));
}

TEST("a failed allocation leaves every cell free or held, and resizing again succeeds") {
  CellPool pool(2, 100);
  pool.resize(0, 10);
  fail_allocations(0, 1);
  CHECK_THROWS(std::bad_alloc, pool.resize(1, 1));
  pool.check();
  CHECK_EQ(pool.free(), 90);
  pool.resize(1, 1);
  pool.check();
  CHECK_EQ(pool.free(), 89);
}

TEST("sixteen requests with one beginning hold its cells once") {
  EngineFixture fixture(pooled(fake_limits(16, 512, 128)));
  for (RequestId id = 1; id <= 16; ++id) {
    auto prompt = fake_prompt(352, 1);
    prompt.push_back(static_cast<TokenId>(2 + id));
    CHECK(!fixture.submit(id, prompt, greedy(20)));
  }
  CHECK(fixture.run());
  CHECK(fixture.backend->most_cells <= 352 + 16 * (1 + 20));
  CHECK_EQ(fixture.backend->saves, 0);  // nothing went through host memory
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("a prompt is computed in the passes of those that generate") {
  EngineFixture fixture(pooled(fake_limits(4, 512, 64)));
  for (RequestId id = 1; id <= 3; ++id) CHECK(!fixture.submit(id, fake_prompt(8, id), greedy(60)));
  fixture.engine->step();
  CHECK(!fixture.submit(4, fake_prompt(300, 4), greedy(4)));
  CHECK(fixture.run());
  const EngineStats stats = fixture.engine->stats();
  CHECK_EQ(stats.decode_passes + stats.prefill_passes, stats.steps);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
  CHECK(fixture.story(1).tokens == tokens_alone(fake_prompt(8, 1), 60));
  CHECK(fixture.story(4).tokens == tokens_alone(fake_prompt(300, 4), 4));
}

TEST("with a quarter of the cells every request ends with its own text, the youngest last") {
  EngineFixture fixture(pooled(fake_limits(8, 400, 64), 800));
  for (RequestId id = 1; id <= 12; ++id)
    CHECK(!fixture.submit(id, fake_prompt(100, id), greedy(200)));
  CHECK(fixture.run());
  CHECK(fixture.backend->most_cells <= 800);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
  const EngineStats stats = fixture.engine->stats();
  CHECK(stats.preemptions > 0);
  CHECK_EQ(stats.failed_passes, 0);
  for (RequestId id = 1; id <= 12; ++id) {
    CHECK_EQ(fixture.story(id).ends.size(), 1u);
    CHECK(fixture.story(id).tokens == tokens_alone(fake_prompt(100, id), 200));
  }
}

TEST("a request that would need cells of running requests waits") {
  EngineFixture fixture(pooled(fake_limits(8, 400, 64), 400));
  CHECK(!fixture.submit(1, fake_prompt(100, 1), greedy(40)));
  CHECK(!fixture.submit(2, fake_prompt(390, 2), greedy(5)));
  CHECK(fixture.run());
  CHECK_EQ(fixture.engine->stats().preemptions, 0);
  CHECK(fixture.story(2).tokens == tokens_alone(fake_prompt(390, 2), 5));
}

TEST("choices of one long prompt fit where their answers do") {
  EngineFixture fixture(pooled(fake_limits(8, 400, 64), 512));
  for (RequestId id = 1; id <= 8; ++id) CHECK(!fixture.submit(id, fake_prompt(300, 1), greedy(16)));
  CHECK(fixture.run());
  CHECK_EQ(fixture.engine->stats().preemptions, 0);
  CHECK_EQ(fixture.engine->stats().prompt_tokens_computed, 300);  // last tokens are decode rows
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("an idle prefix is evicted when a request needs its cells") {
  EngineFixture fixture(pooled(fake_limits(2, 400, 64), 400));
  CHECK(!fixture.submit(1, fake_prompt(300, 1), greedy(8)));
  CHECK(fixture.run());
  CHECK(!fixture.submit(2, fake_prompt(300, 2), greedy(8)));
  CHECK(fixture.run());
  CHECK_EQ(fixture.engine->stats().cache.evictions, 1);
  CHECK(!fixture.submit(3, fake_prompt(300, 1), greedy(8)));  // back from host memory
  CHECK(fixture.run());
  CHECK_EQ(fixture.engine->stats().cache.host_restores, 1);
  CHECK(fixture.story(3).tokens == fixture.story(1).tokens);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
}

TEST("a failing pass in one pool ends only the request that makes it fail") {
  std::vector<std::vector<TokenId>> expected;
  std::set<TokenId> said;
  for (std::uint64_t salt = 1; salt <= 3; ++salt) {
    expected.push_back(tokens_alone(fake_prompt(20, salt), 12));
    for (const auto& tokens : {expected.back(), fake_prompt(20, salt)})
      said.insert(tokens.begin(), tokens.end());
  }
  TokenId poison = 2;
  while (said.contains(poison)) ++poison;
  EngineFixture fixture(pooled(fake_limits(4, 400, 64)));
  fixture.backend->poison(poison, DecodeStatus::kFailed);
  for (RequestId id = 1; id <= 3; ++id) CHECK(!fixture.submit(id, fake_prompt(20, id), greedy(12)));
  fixture.engine->step();
  CHECK(!fixture.submit(4, std::vector<TokenId>(20, poison), greedy(12)));
  CHECK(fixture.run());
  CHECK(fixture.story(4).ends.at(0).reason == FinishReason::kError);
  for (RequestId id = 1; id <= 3; ++id) CHECK(fixture.story(id).tokens == expected.at(id - 1));
}
