// A cancelled request in every stage of its life, as a table: it ends exactly once, its cells and
// its control are free again, and the others do not notice. What the prompt queue holds is in
// prompt_queue_test.
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

constexpr RequestId kIt = 1;     // is cancelled
constexpr RequestId kOther = 2;  // goes on
constexpr RequestId kLater = 3;  // comes afterwards
constexpr std::int32_t kContext = 512;

struct Layout {
  bool pool = false;
  bool asynchronous = false;

  [[nodiscard]] BackendLimits limits(std::int32_t slots) const {
    BackendLimits limits = fake_limits(slots, kContext, 64);
    limits.prefill_outputs = 64;
    if (pool) limits = pooled(limits);
    limits.facts.asynchronous = asynchronous;
    return limits;
  }
};

// A stage, and how a request gets there.
struct Row {
  const char* stage;
  // Brings kIt into the stage, and says whether it is there.
  bool (*bring)(EngineFixture&);
  std::int32_t slots = 2;
  std::size_t host_limit = std::size_t{1} << 30;
  bool drafts = false;
  FinishReason reason = FinishReason::kCancelled;
};

bool submitted(EngineFixture& fixture, RequestId id, std::size_t prompt, std::int32_t tokens) {
  return !fixture.submit(id, fake_prompt(prompt, id), tokens);
}

// Steps until `there`, at most a few hundred times.
bool steps_until(EngineFixture& fixture, const std::function<bool()>& there) {
  for (int step = 0; step < 400 && !there(); ++step) fixture.engine->step();
  return there();
}

bool generating(EngineFixture& fixture, RequestId id, std::size_t tokens = 3) {
  return steps_until(fixture, [&] { return fixture.story(id).tokens.size() >= tokens; });
}

// The sequences that the last pass had rows of.
std::size_t sequences_of_pass(const FakeBackend& backend) {
  std::set<SequenceId> sequences;
  for (const BatchRow& row : backend.rows()) sequences.insert(row.sequence);
  return sequences.size();
}

void fails_once(FakeBackend& backend, DecodeStatus status) {
  backend.mishap = [status, fails = true]() mutable {
    return std::exchange(fails, false) ? status : DecodeStatus::kOk;
  };
}

bool in_the_mailbox(EngineFixture& fixture) {
  return submitted(fixture, kIt, 40, 20) && fixture.engine->stats().waiting == 0;
}

bool fork_in_the_mailbox(EngineFixture& fixture) {
  return submitted(fixture, kOther, 40, 20) && generating(fixture, kOther) &&
         !fixture.engine->fork(kOther, kIt, 5, fixture.sink.control(kIt));
}

bool queued(EngineFixture& fixture) {
  const bool both = submitted(fixture, kOther, 40, 20) && generating(fixture, kOther) &&
                    submitted(fixture, kIt, 40, 20);
  fixture.engine->step();
  return both && fixture.engine->stats().waiting == 1;
}

bool awaiting(EngineFixture& fixture) {
  std::vector<TokenId> alike = fake_prompt(300, kOther);
  const bool first = submitted(fixture, kOther, 300, 20);
  fixture.engine->step();
  alike.back() = alike.back() == 3 ? 4 : 3;
  const bool second = !fixture.submit(kIt, alike, 20);
  fixture.engine->step();
  return first && second && fixture.engine->stats().running == 2 &&
         sequences_of_pass(*fixture.backend) == 1;
}

bool prefilling(EngineFixture& fixture) {
  const bool is_submitted = submitted(fixture, kIt, 200, 20);
  fixture.engine->step();
  return is_submitted && fixture.engine->stats().prompt_tokens_computed == 64;
}

bool decoding(EngineFixture& fixture) {
  return submitted(fixture, kOther, 40, 40) && submitted(fixture, kIt, 40, 40) &&
         generating(fixture, kIt);
}

bool drafted(EngineFixture& fixture) {
  return submitted(fixture, kIt, 40, 100) &&
         steps_until(fixture, [&] { return fixture.engine->stats().model_accepted_tokens > 4; });
}

bool paused(EngineFixture& fixture) {
  fixture.sink.acknowledge = false;
  const bool is_submitted = submitted(fixture, kIt, 40, 400) && fixture.run();
  return is_submitted && fixture.story(kIt).ends.empty() && fixture.story(kIt).tokens.size() > 200;
}

// A pass finds no free cells: the youngest request is preempted.
bool preempted(EngineFixture& fixture) {
  const bool both = decoding(fixture);
  fails_once(*fixture.backend, DecodeStatus::kNoRoom);
  return both && steps_until(fixture, [&] { return fixture.engine->stats().preemptions == 1; }) &&
         fixture.engine->stats().waiting == 1;
}

bool swap_out(EngineFixture& fixture) {
  return preempted(fixture) && fixture.engine->stats().cache.host_bytes > 0;
}

bool isolated(EngineFixture& fixture) {
  const bool both = decoding(fixture);
  fails_once(*fixture.backend, DecodeStatus::kFailed);
  return both && steps_until(fixture, [&] { return fixture.engine->stats().failed_passes == 1; }) &&
         fixture.story(kIt).ends.empty() && fixture.story(kOther).ends.empty();
}

// Cancelled while the pass computes.
bool in_a_pass(EngineFixture& fixture) {
  const bool both = decoding(fixture);
  bool in_flight = false;
  fixture.backend->submitted = [&] {
    in_flight = true;
    fixture.cancel(kIt);
  };
  fixture.engine->step();
  fixture.backend->submitted = nullptr;
  return both && in_flight;
}

// The same in the pass of its last token.
bool ending(EngineFixture& fixture) {
  const bool both = submitted(fixture, kOther, 40, 40) && submitted(fixture, kIt, 40, 5) &&
                    generating(fixture, kIt, 4);
  fixture.backend->submitted = [&] { fixture.cancel(kIt); };
  fixture.engine->step();
  fixture.backend->submitted = nullptr;
  return both;
}

bool ended(EngineFixture& fixture) {
  return submitted(fixture, kIt, 40, 5) && fixture.run() && fixture.story(kIt).ends.size() == 1;
}

const std::vector<Row> kRows = {
    {.stage = "in the mailbox", .bring = in_the_mailbox},
    {.stage = "a fork in the mailbox", .bring = fork_in_the_mailbox},
    {.stage = "queued", .bring = queued, .slots = 1},
    {.stage = "awaiting", .bring = awaiting},
    {.stage = "prefilling", .bring = prefilling},
    {.stage = "decoding", .bring = decoding},
    {.stage = "drafted", .bring = drafted, .drafts = true},
    {.stage = "paused", .bring = paused},
    {.stage = "preempted, its state lost", .bring = preempted, .host_limit = 0},
    {.stage = "swapped: preempted, its state in host memory", .bring = swap_out},
    {.stage = "isolated", .bring = isolated},
    {.stage = "in a pass", .bring = in_a_pass},
    {.stage = "ending", .bring = ending, .reason = FinishReason::kLength},
    {.stage = "ended", .bring = ended, .reason = FinishReason::kLength},
};

std::unique_ptr<FakeBackend> drafter(const Row& row, const BackendLimits& limits) {
  return row.drafts ? std::make_unique<FakeBackend>(limits) : nullptr;
}

void check_row(const Row& row, const Layout& layout) {
  const std::string where = std::string(row.stage) + (layout.pool ? ", one pool" : ", streams") +
                            (layout.asynchronous ? ", asynchronous" : "");
  const BackendLimits limits = layout.limits(row.slots);
  EngineFixture fixture(limits, 10, 0, {.keeps_prefixes = true, .host_limit = row.host_limit},
                        row.drafts, drafter(row, limits), row.drafts ? 4 : 0);
  if (!row.bring(fixture)) return check::fail(where.c_str(), 0, "the stage is not reached");
  fixture.sink.acknowledge = true;
  fixture.cancel(kIt);
  if (!fixture.run(5000)) return check::fail(where.c_str(), 0, "the engine does not come to rest");

  const int failures = check::failures;
  CHECK_EQ(fixture.story(kIt).ends.size(), 1u);
  CHECK(fixture.story(kIt).ends.at(0).reason == row.reason);
  if (fixture.sink.controls.contains(kOther)) {
    CHECK_EQ(fixture.story(kOther).ends.size(), 1u);
    CHECK(fixture.story(kOther).ends.at(0).reason == FinishReason::kLength);
  }
  const EngineStats stats = fixture.engine->stats();
  CHECK_EQ(stats.running, 0);
  CHECK_EQ(stats.waiting, 0);
  CHECK_EQ(stats.cache.cells_used, 0);
  // Only the test holds its control, and room for a whole context is there again.
  CHECK_EQ(fixture.sink.controls.at(kIt).use_count(), 1);
  CHECK(submitted(fixture, kLater, kContext - 10, 5));
  CHECK(fixture.run(5000));
  CHECK(fixture.story(kLater).ends.at(0).reason == FinishReason::kLength);
  CHECK_EQ(fixture.story(kIt).ends.size(), 1u);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
  fixture.engine->close();
  CHECK_EQ(fixture.story(kIt).ends.size(), 1u);
  if (check::failures > failures) check::fail(where.c_str(), 0, "is the stage");
}

}  // namespace

TEST("a request that is cancelled in any stage ends once and releases all it holds") {
  for (const bool pool : {false, true}) {
    for (const bool asynchronous : {false, true}) {
      for (const Row& row : kRows) check_row(row, {pool, asynchronous});
    }
  }
}
