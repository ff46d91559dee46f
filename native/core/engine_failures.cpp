// The engine when something goes wrong: passes that fail, books that do not
// balance, and the end of everything.
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "engine.h"

namespace infernode {

namespace {

// Passes that may fail one after another before the device counts as lost.
constexpr std::int32_t kFailuresUntilBroken = 8;
// Steps one after another that may have work and compute none of it.
constexpr std::int32_t kIdleStepsUntilBroken = 8;
// The end of everything is tried so often, and so far apart, while there is no memory for it.
constexpr int kTriesToEnd = 100;
constexpr std::chrono::milliseconds kBetweenTries{1};

Failure breakdown(const std::exception_ptr& cause) {
  std::string reason = "an unknown exception";
  try {
    std::rethrow_exception(cause);
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

void Engine::pass_succeeded() {
  failures_in_a_row_ = 0;
  short_of_room_ = false;
}

// A failing pass costs only the requests it must: alone it ends its one
// request; of several, each is computed alone next, and who fails again ends.
// Where a pass finds no room, one after another gives way until it does.
void Engine::pass_failed(DecodeStatus status, const std::vector<Request*>& requests) {
  if (mailbox_.closed()) return;  // interrupted: run() ends everything next
  ++totals_.failed_passes;
  if (status == DecodeStatus::kNoRoom && cache_.running() > 1) {
    short_of_room_ = true;
    return set_aside(*scheduler_.first_to_leave());
  }
  if (++failures_in_a_row_ >= kFailuresUntilBroken) {
    throw std::runtime_error("eight passes failed one after another");
  }
  if (requests.size() == 1) {
    cache_.clear(*requests.front());
    return end(
        *requests.front(), FinishReason::kError,
        Failure{ErrorCode::kDecodeFailed,
                "The model failed to compute this request's tokens; others are not affected."});
  }
  for (Request* request : requests) {
    request->suspect = true;
    if (status == DecodeStatus::kFailed) cache_.clear(*request);
  }
}

// A scheduler that has work and lets nobody compute would spin for ever.
void Engine::must_progress() {
  const std::int64_t passes =
      totals_.decode_passes + totals_.prefill_passes + totals_.failed_passes;
  idle_steps_ = passes == passes_before_ ? idle_steps_ + 1 : 0;
  passes_before_ = passes;
  INFERNODE_CHECK(idle_steps_ < kIdleStepsUntilBroken,
                  "eight steps had requests to compute and computed none");
}

void Engine::check_ledger() {
  cache_.check();
  if (draft_model_ != nullptr) draft_model_->check();
  unproven_ = false;
}

// The last thing an engine does: everything that was accepted ends. What there is no
// memory for is tried again, each time from where it stopped.
void Engine::finish(const std::exception_ptr& cause) noexcept {
  for (int tries = 0; tries < kTriesToEnd; ++tries) {
    try {
      mailbox_.close();
      if (cause == nullptr) return end_all(FinishReason::kCancelled, std::nullopt);
      const Failure failure = breakdown(cause);
      {
        const std::lock_guard lock(shared_mutex_);
        broken_ = failure;
      }
      return end_all(FinishReason::kError, failure);
    } catch (...) {
      std::this_thread::sleep_for(kBetweenTries);
    }
  }
}

// The backend is not asked any more, since it may be what broke.
void Engine::end_all(FinishReason reason, const std::optional<Failure>& failure) {
  cache_.abandon();
  end_arrivals(reason, failure);
  while (!scheduler_.living().empty()) {
    Request& request = *scheduler_.living().front();
    publisher_.end(request, reason, failure, {}, clock_());
    remove(request);
  }
  totals_.running = 0;
  totals_.waiting = 0;
  totals_.cache = cache_.stats();
  publish_stats();
  if (!publisher_.empty()) publisher_.publish(clock_());
}

}  // namespace infernode
