// The engine's last resorts: steps without progress, books that do not balance, and the end of all
// requests.
#include <chrono>
#include <string>
#include <thread>

#include "device_lost.h"
#include "engine.h"

namespace infernode {

namespace {

// Consecutive steps with work but without a pass after which the engine stops.
constexpr std::int32_t kIdleStepsUntilBroken = 8;
// Ending all requests is retried so often, and so far apart, while there is no memory for it.
constexpr int kTriesToEnd = 100;
constexpr std::chrono::milliseconds kBetweenTries{1};

Failure breakdown(const std::exception_ptr& cause) {
  std::string reason = "an unknown exception";
  try {
    std::rethrow_exception(cause);
  } catch (const DeviceLost& lost) {
    return lost.failure;
  } catch (const std::bad_alloc&) {
    reason = "memory ran out";
  } catch (const std::exception& error) {
    reason = error.what();
  } catch (...) {  // the reason stays unknown
  }
  return {ErrorCode::kEngineBroken,
          "The engine stopped: " + reason + ". Close it and create another one."};
}

}  // namespace

// Stops an engine that has work and never computes it, which would otherwise spin for ever.
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

// The last thing an engine does: ends all requests. Without memory for it, it retries from where it
// stopped.
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

// The backend is not called any more: it may be the cause.
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
