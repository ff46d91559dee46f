// The two layouts of KV cells behind one interface, over the fake backend, which keeps the rules
// of each and counts cells for itself.
#include <algorithm>
#include <memory>

#include "backend_passes.h"
#include "check.h"
#include "core/cache/host_tier.h"
#include "core/cache/pool_store.h"
#include "core/cache/stream_store.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

constexpr std::int32_t kSlots = 4, kContext = 64, kCells = 100;

// A store and its backend; a clock that moves by one millisecond whenever it is read.
struct StoreFixture {
  explicit StoreFixture(bool pool, bool can_truncate = true) : backend(limits(pool, can_truncate)) {
    const auto clock = [this] { return now += 1; };
    if (pool) {
      store = std::make_unique<PoolStore>(backend, clock);
    } else {
      store = std::make_unique<StreamStore>(backend, clock);
    }
  }

  static BackendLimits limits(bool pool, bool can_truncate) {
    BackendLimits limits = fake_limits(kSlots, kContext, 64);
    limits.can_truncate = can_truncate;
    return pool ? pooled(limits, kCells) : limits;
  }

  // Computes tokens in a sequence, as an engine step does.
  void compute(SequenceId sequence, std::int32_t tokens) {
    std::vector<BatchRow> rows;
    const Position first = backend.resident(sequence);
    for (std::int32_t i = 0; i < tokens; ++i) rows.push_back({5 + sequence, sequence, first + i});
    CHECK(run_prefill(backend, rows) == DecodeStatus::kOk);
    store->begin_step();
  }

  double now = 0;
  FakeBackend backend;
  std::unique_ptr<KvStore> store;
};

}  // namespace

TEST("a copied prefix has the state of its source, in either layout") {
  for (const bool pool : {false, true}) {
    StoreFixture fixture(pool);
    fixture.compute(0, 30);
    CHECK(fixture.store->copy(0, 1, 20));
    CHECK_EQ(fixture.backend.resident(1), 20);
    const StateBytes whole = fixture.store->save(0, kAnySize);
    const StateBytes copied = fixture.store->save(1, kAnySize);
    CHECK_EQ(copied.size(), 20U);
    CHECK(std::equal(copied.begin(), copied.end(), whole.begin()));
    CHECK_EQ(fixture.backend.shares, pool ? 1 : 0);
    CHECK_EQ(fixture.backend.rule_breaks, 0);
  }
}

TEST("streams read a state once for all copies of a step, unless it changes between") {
  StoreFixture fixture(false);
  fixture.compute(0, 30);
  CHECK(fixture.store->copy(0, 1, 20));
  CHECK(fixture.store->copy(0, 2, 30));
  CHECK_EQ(fixture.backend.saves, 1);
  CHECK(fixture.store->truncate(0, 25));
  CHECK(fixture.store->copy(0, 3, 25));
  CHECK_EQ(fixture.backend.saves, 2);
  CHECK_EQ(fixture.backend.resident(3), 25);
  fixture.store->clear(1);
  fixture.store->begin_step();
  CHECK(fixture.store->copy(0, 1, 25));
  CHECK_EQ(fixture.backend.saves, 3);
}

TEST("streams copy states that cannot be truncated only whole") {
  StoreFixture fixture(false, false);
  fixture.compute(0, 30);
  CHECK(!fixture.store->copy(0, 1, 20));
  CHECK_EQ(fixture.backend.resident(1), 0);
  CHECK(fixture.store->copy(0, 1, 30));
  CHECK_EQ(fixture.backend.resident(1), 30);
}

TEST("a copy costs its measured time twice in streams, and nothing in a pool") {
  for (const bool pool : {false, true}) {
    StoreFixture fixture(pool);
    fixture.compute(0, 20);
    CHECK(fixture.store->copy(0, 1, 20));
    CHECK_EQ(fixture.store->copy_ms(20), pool ? 0.0 : 2.0);  // a tick of the clock for 20 positions
  }
}

TEST("sequences of a pool share cells, those of streams take nothing from each other") {
  StoreFixture streams(false);
  CHECK_EQ(streams.store->capacity(), kSlots * kContext);
  streams.compute(0, 30);
  CHECK_EQ(streams.store->free_cells(), kUnlimitedCells);
  CHECK_EQ(streams.store->available_cells(), kUnlimitedCells);
  CHECK_EQ(streams.store->cells({30, 12}).idle, 12);

  StoreFixture pool(true);
  CHECK_EQ(pool.store->capacity(), kCells);
  pool.compute(0, 30);
  CHECK(pool.store->copy(0, 1, 20));
  CHECK_EQ(pool.store->free_cells(), kCells - 30);
  CHECK_EQ(pool.store->available_cells(), kCells);
  pool.store->set_busy(1, true);
  CHECK_EQ(pool.store->available_cells(), kCells - 20);
  CHECK_EQ(pool.store->cells({20, 30}).busy, 20);
  CHECK_EQ(pool.store->cells({20, 30}).idle, 10);
  pool.store->clear(0);
  CHECK_EQ(pool.store->free_cells(), kCells - 20);
  CHECK_EQ(pool.backend.cells_used(), 20);
}

TEST("cells that a pass has taken are not free before the next step counts them") {
  StoreFixture fixture(true);
  const BatchRow row{5, 0, 0};
  CHECK(run_prefill(fixture.backend, {&row, 1}) == DecodeStatus::kOk);
  CHECK_EQ(fixture.store->free_cells(), kCells - 1);
}

TEST("a state with another number of positions than declared leaves its sequence empty") {
  for (const bool pool : {false, true}) {
    StoreFixture fixture(pool);
    fixture.compute(0, 30);
    const StateBytes state = fixture.store->save(0, kAnySize);
    CHECK(!fixture.store->restore(1, state, 29));
    CHECK_EQ(fixture.backend.resident(1), 0);
    if (pool) CHECK_EQ(fixture.store->free_cells(), kCells - 30);
    CHECK(fixture.store->restore(1, state, 30));
    CHECK_EQ(fixture.backend.resident(1), 30);
    if (pool) CHECK_EQ(fixture.store->free_cells(), kCells - 60);
    CHECK_EQ(fixture.backend.rule_breaks, 0);
  }
}

TEST("a pool's counts that differ from the ledger's or the backend's are found") {
  const auto fixture = [] {
    auto made = std::make_unique<StoreFixture>(true);
    made->compute(0, 30);
    made->store->set_busy(0, true);
    made->store->check(0, true);
    made->store->check(1, false);
    made->store->check_cells();
    return made;
  };
  {  // a sequence that is busy for the ledger or for the pool only
    const auto made = fixture();
    CHECK_THROWS(BrokenInvariant, made->store->check(0, false));
    CHECK_THROWS(BrokenInvariant, made->store->check(1, true));
  }
  {  // truncated without the store
    const auto made = fixture();
    CHECK(made->backend.truncate(0, 29));
    CHECK_THROWS(BrokenInvariant, made->store->check(0, true));
  }
  {  // the backend holds a cell more than there are
    const auto made = fixture();
    for (std::int32_t cell = 30; cell < kCells; ++cell) made->backend.leak(1);
    made->store->check_cells();
    made->backend.leak(1);
    CHECK_THROWS(BrokenInvariant, made->store->check_cells());
  }
}

TEST("host memory's counts that differ from the bytes it keeps are found") {
  const std::vector<TokenId> tokens(40, 7);
  HostTier host(1000, true);
  CHECK(host.keep(tokens, "", StateBytes(40)));
  host.add_saved(12);
  host.check(12);
  CHECK_THROWS(BrokenInvariant, host.check(0));
  CHECK_THROWS(BrokenInvariant, host.check(13));
  const auto every = [](PrefixTree::Source, std::size_t matching) { return matching; };
  const HostTier::Id id = host.match(tokens, "", every).source;
  const_cast<StateBytes&>(host.state(id)).push_back(0);
  CHECK_THROWS(BrokenInvariant, host.check(12));
}
