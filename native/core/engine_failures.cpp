// The engine when something goes wrong: passes that fail, books that do not
// balance, and the end of everything.
#include <stdexcept>

#include "engine.h"

namespace infernode {

namespace {

// Passes that may fail one after another before the device counts as lost.
constexpr std::int32_t kFailuresUntilBroken = 8;

}  // namespace

// A failing pass costs only the requests it must: alone it ends its one
// request; of several, each is computed alone next, and who fails again ends.
void Engine::pass_failed(DecodeStatus status, const std::vector<Request*>& requests) {
  if (mailbox_.closed()) return;  // interrupted: run() ends everything next
  ++totals_.failed_passes;
  if (++failures_in_a_row_ >= kFailuresUntilBroken) {
    throw std::runtime_error("eight passes failed one after another");
  }
  if (status == DecodeStatus::kNoRoom && cache_.running() > 1) {
    return set_aside(*scheduler_.first_to_leave());
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

void Engine::check_ledger() const {
  cache_.check();
  if (draft_model_ != nullptr) draft_model_->check();
}

void Engine::break_down(const std::string& reason) {
  const Failure failure{ErrorCode::kEngineBroken,
                        "The engine stopped: " + reason + ". Close it and create another one."};
  {
    const std::lock_guard lock(shared_mutex_);
    broken_ = failure;
  }
  mailbox_.close();
  take_arrivals();
  end_all(FinishReason::kError, failure);
}

// The last thing an engine does; the backend is not asked any more, since it
// may be what broke.
void Engine::end_all(FinishReason reason, const std::optional<Failure>& failure) {
  for (const auto& request : scheduler_.living())
    publisher_.end(*request, reason, failure, {}, clock_());
  living_.fetch_sub(scheduler_.living().size());
  cache_.abandon();
  scheduler_.remove_all();
  if (!publisher_.empty()) publish();
  record_stats();
}

}  // namespace infernode
