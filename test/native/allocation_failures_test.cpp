// An engine whose allocations fail, one at a time and then many in a row: whatever was
// accepted ends exactly once, and the process lives. They fail on the engine's thread only, and
// not where the sink keeps its record, which is the test's.
#include "check.h"
#include "core/scheduling/publisher.h"
#include "engine_fixture.h"
#include "failing_allocations.h"

using namespace infernode;

namespace {

// Takes events as the addon does, and fails as it may.
class UnharmedSink final : public EventSink {
 public:
  void publish(StepEvents&& events) override {
    taken_.append(std::move(events));
    const Unharmed unharmed;
    story.publish(std::exchange(taken_, {}));
  }
  RecordingSink story;

 private:
  StepEvents taken_;
};

GenerateParams sampled(RequestId id) {
  GenerateParams params;
  params.max_tokens = 8;
  params.ignore_eos = true;
  params.sampling.temperature = 1;
  params.sampling.frequency_penalty = 0.5f;
  params.log_probs = id % 2 == 0 ? 2 : -1;
  params.stop = {" t7"};
  params.embeds = id % 5 == 0;
  params.saves = id % 7 == 0;
  return params;
}

// Whether the engine still works after `failing` allocations from number `at` on failed;
// nothing when it makes fewer.
std::optional<bool> survives(const BackendLimits& limits, std::int64_t at, std::int64_t failing) {
  constexpr RequestId kRequests = 8;
  UnharmedSink sink;
  Engine engine(std::make_unique<FakeBackend>(limits), std::make_shared<FakeVocab>(50), sink,
                {.publish_interval_ms = 0, .check_ledger = true}, [] { return 0.0; });
  std::atomic<int> answered = 0;
  std::atomic<bool> failed = false;
  engine.call([&](KvCache*) {
    fail_allocations(at, failing);
    ++answered;
  });
  for (RequestId id = 1; id <= kRequests; ++id) {
    const auto control = sink.story.control(id);
    CHECK(!(id % 3 == 0 ? engine.fork(id - 1, id, id, control)
                        : engine.submit(id, fake_prompt(40, id / 2), sampled(id), control)));
    engine.call([&](KvCache*) { ++answered; });
  }
  engine.start();
  sink.story.wait_for_ends(kRequests);
  engine.call([&](KvCache* cache) {
    failed = cache == nullptr || allocations_left < 0;
    allocations_left = -1;
    ++answered;
  });
  const bool works = !engine.submit(99, {5}, sampled(1), sink.story.control(99));
  if (works) sink.story.wait_for_end(99);  // and so for the call before it, which needs the engine
  engine.close();
  for (RequestId id = 1; id <= kRequests; ++id) {
    CHECK_EQ(sink.story.story(id).ends.size(), 1u);
    CHECK(sink.story.accepted[id] <= 1);
    CHECK(sink.story.accepted[id] == 1 || sink.story.story(id).tokens.empty());
  }
  CHECK_EQ(sink.story.story(99).ends.size(), works ? 1u : 0u);
  CHECK_EQ(answered.load(), static_cast<int>(kRequests) + 2);
  return failed ? std::optional(works) : std::nullopt;
}

// The places where they fail lie further apart the later they come; `stride` times that.
void starve(const BackendLimits& limits, std::int64_t failing, std::int64_t stride = 1) {
  std::int64_t tried = 0;
  std::int64_t survived = 0;
  for (std::int64_t at = 0;; at += stride * (1 + at / 100)) {
    const std::optional<bool> works = survives(limits, at, failing);
    if (!works) break;
    ++tried;
    survived += *works ? 1 : 0;
  }
  std::printf("%lld in a row: the engine went on after %lld of %lld\n",
              static_cast<long long>(failing), static_cast<long long>(survived),
              static_cast<long long>(tried));
  CHECK(tried > 100 / stride);
}

}  // namespace

TEST("whatever allocation of the engine's thread fails, all that was accepted ends once") {
  for (const std::int64_t failing : {1, 5}) {
    starve(fake_limits(3, 128, 32), failing);
    starve(pooled(fake_limits(3, 128, 32), 160), failing);
    BackendLimits limits = fake_limits(3, 128, 32);
    limits.can_truncate = limits.rolls_back = false;
    starve(limits, failing);
  }
}

TEST("however long memory is short, all that was accepted ends once it is back") {
  starve(fake_limits(3, 128, 32), 150, 50);
}

// Whether memory lacks for it; both are looked at afterwards.
bool append_fails(StepEvents& events, StepEvents& later) {
  try {
    events.append(std::move(later));
    return false;
  } catch (const std::bad_alloc&) {
    return true;
  }
}

TEST("events that cannot be appended for lack of memory stay as they were, and so do the others") {
  StepEvents events;
  events.append({.accepted = {1}, .prompts = {}, .prompt_log_probs = {}, .deltas = {}, .ends = {}});
  StepEvents later;
  later.accepted = {2, 3};
  later.deltas.push_back({2, 5, "text", nullptr});
  later.ends.emplace_back().id = 3;
  for (std::int64_t at = 0; at < 3; ++at) {
    fail_allocations(at, 1);
    CHECK(append_fails(events, later));
    CHECK_EQ(events.accepted.size(), 1u);
    CHECK(events.deltas.empty() && events.ends.empty());
    CHECK_EQ(later.accepted.size(), 2u);
    CHECK_EQ(later.deltas.at(0).text, "text");
    events = {};
    events.accepted = {1};
  }
  CHECK(!append_fails(events, later));
  CHECK_EQ(events.accepted.size(), 3u);
  CHECK_EQ(events.deltas.at(0).text, "text");
  CHECK_EQ(events.ends.at(0).id, 3u);
}

TEST("an end that cannot be published for lack of memory comes later with all its text") {
  const std::string held = "a text that may yet become a stop string";
  GenerateParams params;
  params.stop = {held + "."};
  std::int64_t failures = 0;
  for (bool failed = true; failed; failures += failed ? 1 : 0) {
    RecordingSink sink;
    Publisher publisher(sink, 0);
    Request request(1, {5}, params, std::make_shared<RequestControl>(), 16);
    CHECK_EQ(request.output.text.append(held + "\xE2\x82").text, "");
    const auto end = [&] { publisher.end(request, FinishReason::kLength, std::nullopt, {}, 0); };
    failed = false;
    fail_allocations(failures, 1);
    try {
      end();
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    allocations_left = -1;
    CHECK_EQ(publisher.empty(), failed);
    if (failed) end();
    publisher.publish(0);
    CHECK_EQ(sink.story(1).text, held + "\uFFFD");
    CHECK_EQ(sink.story(1).ends.size(), 1u);
  }
  CHECK(failures > 3);
}
