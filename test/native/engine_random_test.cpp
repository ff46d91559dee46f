// Thousands of seeded random arrivals, cancellations, lagging readers and failing
// passes. The books must balance after each step (the engine checks its own ledger), every
// request must end exactly once, passes must stay whole, and a step that has work must
// compute some of it.
#include <cstdlib>
#include <map>
#include <random>

#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

struct Mix {
  std::int32_t slots;
  double busy;  // living requests aimed at
  bool pads = true;
  bool overlaps = false;
};

// Random arrivals and leavings around `busy` living requests.
void drive(const Mix& mix, int steps, std::uint64_t seed) {
  BackendLimits limits = fake_limits(mix.slots, 256, 64);
  limits.rolls_back = mix.pads;
  limits.facts.asynchronous = mix.overlaps;
  EngineFixture fixture(limits);
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  RequestId next = 1;
  std::vector<RequestId> submitted;
  std::int64_t idle_steps = 1;  // the last one of run()
  for (int step = 0; step < steps; ++step) {
    const EngineStats stats = fixture.engine->stats();
    if (stats.running + stats.waiting < mix.busy && below(3) > 0) {
      CHECK(!fixture.submit(next, fake_prompt(1 + below(40), next),
                            static_cast<std::int32_t>(1 + below(60)), 0.8f));
      submitted.push_back(next++);
    }
    if (below(40) == 0 && !submitted.empty()) fixture.cancel(submitted[below(submitted.size())]);
    fixture.clock += 1;
    idle_steps += fixture.engine->step() ? 0 : 1;
  }
  const EngineStats during = fixture.engine->stats();
  CHECK(fixture.run());
  for (const RequestId id : submitted) {
    CHECK_EQ(fixture.story(id).ends.size(), 1u);
    CHECK_EQ(fixture.sink.accepted[id], 1);
  }
  CHECK_EQ(fixture.sink.deltas_before_acceptance, 0);
  // One for each step, and one where the engine was idle: before a step came in.
  CHECK(fixture.sink.publications <= fixture.engine->stats().steps + idle_steps);
  CHECK_EQ(fixture.engine->stats().cache.cells_used, 0);
  CHECK_EQ(fixture.backend->rule_breaks, 0);
  const double padding =
      static_cast<double>(during.padding_rows) /
      static_cast<double>(std::max<std::int64_t>(1, during.padding_rows + during.decode_rows));
  if (padding > 0.15)
    std::printf("slots %d busy %.0f: padding %.3f\n", mix.slots, mix.busy, padding);
  CHECK(padding <= 0.15);
  CHECK(during.decode_passes <= during.steps);
}

struct Sharing {
  std::int32_t slots;
  bool can_truncate;
  CacheConfig cache;
  Position window = 0;
  std::size_t drafted = 0;   // tokens a draft model drafts in each step
  std::int32_t cells = 0;    // of one pool; 0: each sequence has its own
  std::uint64_t mishap = 0;  // one pass in so many fails, somehow; 0: none
  bool overlaps = false;     // passes are computed while the engine works
};

// Requests with the same prefixes in many ways, some in secret, some with other adapters,
// some cancelled, some forked, some unread for a while; one operation at a time. Where a
// draft model drafts, it is wrong now and then, and some of its passes fail. Every text
// must be the one the request gets alone.
class SharingDrive {
 public:
  SharingDrive(const Sharing& how, std::uint64_t seed)
      : how_(how),
        fixture_(limits(), 1000, 0, how.cache, how.drafted > 0, draft(), how.drafted),
        random_(seed) {
    fixture_.backend->window = how.window;
    if (how.mishap > 0) fixture_.backend->mishap = [this] { return fate(); };
  }

  void run(int operations) {
    for (int operation = 0; operation < operations; ++operation) operate();
    fixture_.sink.acknowledge = true;
    read_all();
    for (int steps = 0; step(); ++steps) CHECK(steps < 100000);
    CHECK_EQ(idle_steps_, 0);
    CHECK(fixture_.engine->stats().failed_passes > 0 || how_.mishap == 0);
    CHECK(fixture_.engine->stats().preemptions > 0);
    compare_with_alone();
    const CacheStats cache = fixture_.engine->stats().cache;
    CHECK_EQ(cache.cells_used, 0);
    CHECK(cache.prompt_tokens_cached > 0 || !how_.cache.keeps_prefixes);
    // No request lives, so that prefixes own all bytes: the engine has proved that. Without
    // prefixes there are none.
    CHECK(cache.host_bytes <= static_cast<std::int64_t>(how_.cache.host_limit));
    if (!how_.cache.keeps_prefixes || how_.cache.host_limit == 0) CHECK_EQ(cache.host_bytes, 0);
    CHECK_EQ(fixture_.backend->rule_breaks, 0);
    if (how_.drafted > 0) {
      CHECK_EQ(fixture_.draft->rule_breaks, 0);
      CHECK(fixture_.engine->stats().model_accepted_tokens > 20);
      CHECK(fixture_.engine->stats().draft_failures > 0);
    }
    if (how_.cells == 0) return;
    CHECK_EQ(cache.cells_cached, fixture_.backend->cells_used());
    CHECK_EQ(fixture_.engine->stats().padding_rows + fixture_.engine->stats().sequence_moves, 0);
  }

 private:
  std::unique_ptr<FakeBackend> draft() const {
    if (how_.drafted == 0) return nullptr;
    BackendLimits limits = fake_limits(std::min(how_.slots, 4), 300, 64);
    limits.prefill_outputs = 64;
    limits.facts.asynchronous = how_.overlaps;
    auto backend = std::make_unique<FakeBackend>(limits);
    backend->strays = 6;
    backend->poison(45, DecodeStatus::kFailed);
    return backend;
  }

  BackendLimits limits() const {
    BackendLimits limits = fake_limits(how_.slots, 700, 64);
    limits.can_truncate = how_.can_truncate;
    limits.rolls_back = how_.can_truncate || how_.window > 0;
    limits.slack = how_.window > 0 ? limits.prefill_capacity : 0;
    limits.facts.asynchronous = how_.overlaps;
    limits.unified = how_.cells > 0;
    limits.rectangular = !limits.unified;
    limits.cells = how_.cells;
    limits.idle_sequences = limits.unified ? how_.slots / 2 : 0;
    if (how_.drafted > 0) limits.prefill_outputs = 64;
    return limits;
  }

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void operate() {
    const std::uint64_t kind = below(16);
    const EngineStats stats = fixture_.engine->stats();
    const bool room = stats.running + stats.waiting < 2 * how_.slots;
    if (kind < 2 && room) submit();
    if (kind == 2 && next_ > 1 && below(8) == 0) fixture_.cancel(1 + below(next_ - 1));
    if (kind == 3) fixture_.sink.acknowledge = below(3) == 0;
    if (kind > 12 && how_.mishap > 0 && next_ > 1) stop_or_go();
    if (kind == 4 && next_ > 1 && room) fork(next_ - 1 - below(std::min<RequestId>(next_ - 1, 8)));
    if (kind > 4) step();
  }

  // The reader of a late request stops reading at once, or has read everything.
  void stop_or_go() {
    const RequestId late = next_ - 1 - below(std::min<RequestId>(next_ - 1, 2 * how_.slots));
    fixture_.sink.control(late)->acknowledged = below(3) == 0 ? -1000 : 1000;
  }

  void read_all() {
    for (auto& [id, control] : fixture_.sink.controls) control->acknowledged = 1000;
  }

  // How the next pass ends. Mishaps come alone or few in a row: eight that fail break the
  // engine.
  DecodeStatus fate() {
    if (in_a_row_ == 0 && below(how_.mishap) > 0) return DecodeStatus::kOk;
    in_a_row_ = in_a_row_ < 4 && below(3) > 0 ? in_a_row_ + 1 : 0;
    if (in_a_row_ == 0) return DecodeStatus::kOk;
    if (below(2) == 0) read_all();  // those who had stopped come back just then
    const DecodeStatus kinds[] = {DecodeStatus::kNoRoom, DecodeStatus::kInvalid,
                                  DecodeStatus::kFailed};
    return kinds[below(3)];
  }

  // False when there was nothing to compute.
  bool step() {
    const FakeBackend& backend = *fixture_.backend;
    const std::int64_t passes = backend.decode_calls + backend.prefill_calls;
    const bool worked = fixture_.engine->step();
    if (worked && passes == backend.decode_calls + backend.prefill_calls) ++idle_steps_;
    return worked;
  }

  void submit() {
    std::vector<TokenId> prompt = fake_prompt(20 + 20 * below(4), below(3));
    const auto old = prompts_.find(next_ - 1 - below(std::min<std::uint64_t>(next_, 30)));
    if (below(2) == 0 && old != prompts_.end()) {  // a conversation goes on
      prompt = old->second;
      const auto& answer = fixture_.story(old->first).tokens;
      prompt.insert(prompt.end(), answer.begin(), answer.end());
    }
    const auto own = fake_prompt(1 + below(30), next_);
    prompt.insert(prompt.end(), own.begin(), own.end());
    prompt.resize(std::min<std::size_t>(prompt.size(), 200));
    GenerateParams params;
    params.max_tokens = static_cast<std::int32_t>(below(10) == 0 ? 400 : 1 + below(30));
    params.sampling.temperature = 0;
    params.cache = below(8) != 0;
    params.cache_salt = below(4) == 0 ? "salt" : "";
    if (below(5) == 0) params.adapters = {static_cast<float>(below(2))};
    if (below(4) == 0) params.prompt_log_probs = static_cast<std::int32_t>(below(3));
    adapters_[next_] = params.adapters;
    if (params.prompt_log_probs >= 0) tops_[next_] = params.prompt_log_probs;
    CHECK(!fixture_.submit(next_, prompt, params));
    prompts_[next_++] = std::move(prompt);
  }

  void fork(RequestId source) {
    if (!fixture_.story(source).ends.empty() && below(4) > 0) return;
    CHECK(!fixture_.engine->fork(source, next_, next_, fixture_.sink.control(next_)));
    sources_[next_] = source;
    adapters_[next_] = adapters_.at(source);
    prompts_[next_] = prompts_.at(source);
    ++next_;
  }

  void compare_with_alone() {
    EngineFixture alone(fake_limits(1, 700, 64), 1000, 0, {.keeps_prefixes = false});
    std::size_t forked = 0;
    for (const auto& [id, prompt] : prompts_) {
      const Story& story = fixture_.story(id);
      CHECK_EQ(story.ends.size(), 1u);
      const FinishReason reason = story.ends.at(0).reason;
      const bool fork_came_late = reason == FinishReason::kError &&
                                  story.ends.at(0).failure->code == ErrorCode::kInvalidOption;
      CHECK_EQ(fixture_.sink.accepted[id], fork_came_late ? 0 : 1);
      if (reason == FinishReason::kError) {
        const bool failed = story.ends.at(0).failure->code == ErrorCode::kDecodeFailed;
        if (failed && how_.mishap > 0) continue;
        CHECK(sources_.contains(id) && story.tokens.empty());  // a fork that came too late
        continue;
      }
      forked += sources_.contains(id) ? 1 : 0;
      if (reason != FinishReason::kCancelled) {
        const std::size_t told = tops_.contains(id) ? prompt.size() - 1 : 0;
        CHECK_EQ(story.prompt_log_probs.size(), told);
      }
      if (id % 7 != 0 || reason == FinishReason::kCancelled) continue;
      GenerateParams params;
      params.max_tokens = story.ends.at(0).usage.completion_tokens;
      params.sampling.temperature = 0;
      params.adapters = adapters_.at(id);
      if (params.max_tokens == 0) continue;
      if (tops_.contains(id)) params.prompt_log_probs = tops_.at(id);
      CHECK(!alone.submit(id, prompt, params));
      CHECK(alone.run());
      CHECK(alone.story(id).tokens == story.tokens);
      CHECK(same_prompts(alone.story(id).prompt_log_probs, story.prompt_log_probs));
    }
    CHECK(forked > 3);
    CHECK_EQ(fixture_.sink.deltas_before_acceptance, 0);
    CHECK_EQ(fixture_.sink.late_prompts, 0);
  }

  static bool same_prompts(const std::vector<PromptLogProb>& one,
                           const std::vector<PromptLogProb>& other) {
    return std::ranges::equal(one, other, [](const PromptLogProb& a, const PromptLogProb& b) {
      return a.rank == b.rank && a.probs.chosen.token == b.probs.chosen.token &&
             a.probs.chosen.log_prob == b.probs.chosen.log_prob &&
             a.probs.top.size() == b.probs.top.size();
    });
  }

  const Sharing how_;
  EngineFixture fixture_;
  std::mt19937_64 random_;
  RequestId next_ = 1;
  int in_a_row_ = 0;    // mishaps
  int idle_steps_ = 0;  // that had work and computed nothing
  std::map<RequestId, std::vector<TokenId>> prompts_;
  std::map<RequestId, RequestId> sources_;  // of forks
  std::map<RequestId, AdapterScales> adapters_;
  std::map<RequestId, std::int32_t> tops_;  // of those that tell of their prompts
};

void share(Sharing how, int operations, std::uint64_t seed) {
  SharingDrive(how, seed).run(operations);
  how.overlaps = true;
  SharingDrive(how, seed).run(operations);
}

std::uint64_t seed_of_run() {
  const char* given = std::getenv("INFERNODE_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20260901;
  std::printf("seed %llu (INFERNODE_SEED sets it)\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace

TEST("books balance and padding stays below 15 % under random arrivals and leavings") {
  const std::uint64_t seed = seed_of_run();
  for (const std::int32_t slots : {2, 3, 4, 8, 16, 32, 64}) {
    drive({slots, static_cast<double>(slots), true, true}, 3000, seed);
    drive({slots, static_cast<double>(slots)}, 3000, seed + static_cast<std::uint64_t>(slots));
    drive({slots, slots / 2.0 + 1}, 3000, seed * 3 + static_cast<std::uint64_t>(slots));
    drive({slots, slots * 1.5}, 3000, seed * 5 + static_cast<std::uint64_t>(slots));
  }
}

TEST("a model that allows no padding still gets every row and keeps its books") {
  drive({16, 12, false}, 4000, seed_of_run());
}

TEST("100,000 operations of requests with common prefixes leave the ledger balanced") {
  const std::uint64_t seed = seed_of_run();
  const std::size_t some = 3000;
  share({4, true, {true, std::size_t{1} << 30, false}}, 20000, seed);
  share({8, true, {true, some, false}}, 20000, seed + 1);
  share({8, true, {true, 0, false}}, 15000, seed + 2);
  share({3, true, {true, some, true}}, 15000, seed + 3);
  share({8, false, {true, some, false}}, 20000, seed + 4);
  share({5, true, {false, some, false}}, 10000, seed + 5);
  share({8, false, {true, some, false}, 40}, 20000, seed + 6);
  share({4, false, {true, std::size_t{1} << 30, false}, 40}, 10000, seed + 7);
  share({4, false, {true, 0, false}}, 10000, seed + 8);
  share({3, true, {true, some, false}, 0, 3}, 25000, seed + 9);
  share({6, true, {true, std::size_t{1} << 30, false}, 0, 2}, 25000, seed + 10);
  share({4, false, {true, some, false}, 40, 4}, 25000, seed + 11);
}

TEST("100,000 operations on one pool of cells leave the books balanced") {
  const std::uint64_t seed = seed_of_run();
  const std::size_t some = 3000;
  share({8, true, {true, some, false}, 0, 0, 8 * 700}, 20000, seed);       // room for all
  share({8, true, {true, some, false}, 0, 0, 2 * 700}, 30000, seed + 1);   // for a quarter
  share({8, true, {true, 0, false}, 0, 0, 2 * 700}, 20000, seed + 2);      // states are lost
  share({16, true, {true, some, false}, 0, 0, 704}, 20000, seed + 3);      // hardly one alone
  share({5, true, {false, some, false}, 0, 0, 2 * 700}, 10000, seed + 4);  // nothing is shared
  share({4, true, {true, some, false}, 0, 3, 2 * 700}, 25000, seed + 5);   // with a draft model
}

TEST("in 300,000 operations with failing passes, no request waits for ever") {
  const std::uint64_t seed = seed_of_run();
  const std::size_t some = 3000;
  share({4, true, {true, some, false}, 0, 0, 0, 12}, 20000, seed);
  share({2, true, {true, 0, false}, 0, 0, 0, 12}, 100000, seed + 1);
  share({3, true, {true, 0, false}, 0, 0, 0, 8}, 100000, seed + 7);
  share({5, false, {true, some, false}, 0, 0, 0, 12}, 20000, seed + 2);
  share({5, false, {true, some, false}, 40, 0, 0, 20}, 20000, seed + 3);
  share({4, true, {true, some, false}, 0, 3, 0, 12}, 20000, seed + 4);
  share({8, true, {true, some, false}, 0, 0, 2 * 700, 12}, 20000, seed + 5);
  share({6, true, {true, 0, false}, 0, 0, 704, 30}, 20000, seed + 6);
}
