// An engine whose allocations fail, one at a time and then a few in a row: whatever was
// accepted ends exactly once, and the process lives. Replaces operator new; it fails on the
// engine's thread only, and not in the sink, which is not the engine's.
#include <cstdlib>
#include <new>

#include "check.h"
#include "engine_fixture.h"

using namespace infernode;

namespace {

thread_local std::int64_t allocations_left = -1;  // until some fail; below 0: none does
thread_local std::int64_t allocations_failing = 0;

bool fails() {
  if (allocations_left < 0) return false;
  if (allocations_left > 0) return --allocations_left, false;
  if (--allocations_failing <= 0) allocations_left = -1;
  return true;
}

// While it lives, this thread's allocations succeed and do not count.
class Unharmed {
 public:
  Unharmed() : left_(std::exchange(allocations_left, -1)) {}
  ~Unharmed() { allocations_left = left_; }
  Unharmed(const Unharmed&) = delete;
  Unharmed& operator=(const Unharmed&) = delete;

 private:
  const std::int64_t left_;
};

class UnharmedSink final : public EventSink {
 public:
  void publish(StepEvents events) override {
    const Unharmed unharmed;
    story.publish(std::move(events));
  }
  RecordingSink story;
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
    allocations_failing = failing;
    allocations_left = at;
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

void starve(const BackendLimits& limits, std::int64_t failing) {
  std::int64_t tried = 0;
  std::int64_t survived = 0;
  for (std::int64_t at = 0;; at += 1 + at / 100) {
    const std::optional<bool> works = survives(limits, at, failing);
    if (!works) break;
    ++tried;
    survived += *works ? 1 : 0;
  }
  std::printf("%lld in a row: the engine went on after %lld of %lld\n",
              static_cast<long long>(failing), static_cast<long long>(survived),
              static_cast<long long>(tried));
  CHECK(tried > 100);
}

}  // namespace

__attribute__((noinline)) void* operator new(std::size_t size) {
  if (fails()) throw std::bad_alloc();
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

TEST("whatever allocation of the engine's thread fails, all that was accepted ends once") {
  for (const std::int64_t failing : {1, 5}) {
    starve(fake_limits(3, 128, 32), failing);
    starve(pooled(fake_limits(3, 128, 32), 160), failing);
    BackendLimits limits = fake_limits(3, 128, 32);
    limits.can_truncate = limits.pads_decode = false;
    starve(limits, failing);
  }
}
