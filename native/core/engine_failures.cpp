// The engine when something goes wrong: passes that fail, books that do not
// balance, and the end of everything.
#include <chrono>
#include <string>
#include <thread>

#include "device_lost.h"
#include "engine.h"

namespace infernode {

namespace {

// Steps one after another that may have work and compute none of it.
constexpr std::int32_t kIdleStepsUntilBroken = 8;
// The end of everything is tried so often, and so far apart, while there is no memory for it.
constexpr int kTriesToEnd = 100;
constexpr std::chrono::milliseconds kBetweenTries{1};

Failure breakdown(const std::exception_ptr& cause) {
  std::string reason = "an unknown exception";
  try {
    std::rethrow_exception(cause);
  } catch (const DeviceLost& lost) {
    return lost.failure;
  } catch (const std::bad_alloc&) {
    reason = "it found no memory";
  } catch (const std::exception& error) {
    reason = error.what();
  } catch (...) {  // the reason stays unknown
  }
  return {ErrorCode::kEngineBroken,
          "The engine stopped: " + reason + ". Close it and create another one."};
}

}  // namespace

// A scheduler that has work and lets nobody compute would spin for ever.
void Engine::must_progress() {
  const PassStats& passed = passes_.stats();
  const std::int64_t passes = passed.decode_passes + passed.prefill_passes + passed.failed_passes;
  idle_steps_ = passes == passes_before_ ? idle_steps_ + 1 : 0;
  passes_before_ = passes;
  INFERNODE_CHECK(idle_steps_ < kIdleStepsUntilBroken,
                  "eight steps had requests to compute and computed none");
}

void Engine::check_ledger() {
  cache_.check();
  drafting_.check();
  unproven_ = false;
}

// The last thing an engine does: everything that was accepted ends. What there is no
// memory for is tried again, each time from where it stopped.
void Engine::finish(const std::exception_ptr& cause) noexcept {
  for (int tries = 0; tries < kTriesToEnd; ++tries) {
    try {
      admission_.close();
      if (cause == nullptr) return end_all(FinishReason::kCancelled, std::nullopt);
      const Failure failure = breakdown(cause);
      admission_.refuse_as(failure);
      return end_all(FinishReason::kError, failure);
    } catch (...) {
      std::this_thread::sleep_for(kBetweenTries);
    }
  }
}

// The backend is not asked any more, since it may be what broke.
void Engine::end_all(FinishReason reason, const std::optional<Failure>& failure) {
  cache_.abandon();
  admission_.end_arrivals(reason, failure);
  while (!scheduler_.living().empty()) {
    Request& request = *scheduler_.living().front();
    publisher_.end(request, reason, failure, {}, clock_());
    endings_.remove(request);
  }
  totals_.running = 0;
  totals_.waiting = 0;
  totals_.cache = cache_.stats();
  publish_stats();
  if (!publisher_.empty()) publisher_.publish(clock_());
}

}  // namespace infernode
