// The engine's last resorts: steps without progress, books that do not balance, and the end of all
// requests.
#include <string>

#include "device_lost.h"
#include "engine.h"
#include "failures.h"

namespace infernode {

namespace {

// Consecutive steps with work but without a pass after which the engine stops.
constexpr std::int32_t kIdleStepsUntilBroken = 8;

Failure breakdown(const std::exception_ptr& cause) {
  try {
    std::rethrow_exception(cause);
  } catch (const DeviceLost& lost) {
    return lost.failure;
  } catch (...) {
    return {ErrorCode::kEngineBroken,
            "The engine stopped: " + reason_of(cause) + ". Close it and create another one."};
  }
}

}  // namespace

// Stops an engine that has work and never computes it, which would otherwise spin for ever.
void Engine::check_progress() {
  const PassStats& passed = passes_.stats();
  const std::int64_t passes = passed.decode_passes + passed.prefill_passes + passed.failed_passes;
  idle_steps_ = passes == passes_before_ ? idle_steps_ + 1 : 0;
  passes_before_ = passes;
  INFERNODE_CHECK(idle_steps_ < kIdleStepsUntilBroken,
                  "eight steps had requests to compute and computed none");
}

// At the end of a step that computes nothing, or of each step where that is configured, unless
// nothing has changed since the last check.
void Engine::check_ledger(bool idle) {
  if (!ledger_unchecked_ || !(idle || config_.check_ledger)) return;
  std::size_t saved = 0;
  for (const auto& request : scheduler_.living()) saved += request->progress.saved.size();
  cache_.check(saved);
  admission_.check();
  drafting_.check();
  ledger_unchecked_ = false;
}

// The last thing an engine does: ends all requests. What can throw here is a lack of memory, which
// passes, and a call that was never taken, which is not made twice: each try begins where the last
// one stopped, so that every request ends.
void Engine::finish(const std::exception_ptr& cause) noexcept {
  until_done([&] {
    admission_.close();
    if (cause == nullptr) return end_all(FinishReason::kCancelled, std::nullopt);
    const Failure failure = breakdown(cause);
    admission_.refuse_as(failure);
    end_all(FinishReason::kError, failure);
  });
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
