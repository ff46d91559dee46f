#include "pass_failures.h"

#include <stdexcept>
#include <utility>

#include "core/device_lost.h"

namespace infernode {

namespace {

// Consecutive failing passes after which the engine stops.
constexpr std::int32_t kFailuresUntilBroken = 8;
// Consecutive failures of the device after which it counts as lost: memory may be short for a
// moment, but if a request alone fails as well, the cause is not the pass.
constexpr std::int32_t kDeviceFailuresUntilBroken = 2;

Failure lost_device(DecodeStatus status, const std::string& where) {
  if (status == DecodeStatus::kNoMemory) {
    return {ErrorCode::kOutOfMemory,
            "The engine stopped: " + where +
                " had too little memory for two passes one after another. Close it and create "
                "one with fewer slots, a shorter contextLength or a smaller prefillChunk, or put "
                "fewer layers on the device."};
  }
  const std::string what =
      status == DecodeStatus::kLost
          ? "a pass on " + where + " was broken off; the log contains the reason"
          : where + " failed to compute two passes one after another";
  return {ErrorCode::kDeviceFailed,
          "The engine stopped: " + what +
              ". End the process and start another one: a device's driver may not recover "
              "within it."};
}

}  // namespace

PassFailures::PassFailures(const Parts& parts, std::string device,
                           std::function<bool()> interrupted)
    : parts_(parts), device_(std::move(device)), interrupted_(std::move(interrupted)) {}

void PassFailures::succeeded() {
  failures_in_a_row_ = 0;
  device_failures_in_a_row_ = 0;
  parts_.seating.pass_succeeded();
}

// No request's fault: all requests of the pass are computed again, each alone. The device counts as
// lost if it fails again before a pass succeeds.
void PassFailures::device_failed(DecodeStatus status, std::span<Request* const> requests) {
  const bool gone = status == DecodeStatus::kLost;
  if (gone || ++device_failures_in_a_row_ >= kDeviceFailuresUntilBroken)
    throw DeviceLost(lost_device(status, device_));
  for (Request* request : requests) {
    request->progress.isolated = true;
    parts_.cache.clear(*request);
  }
}

// A failing pass ends as few requests as possible: its only request ends; of several, each is
// computed alone next, and those that fail again end. If a pass finds no free cells, requests are
// preempted one by one until it does.
void PassFailures::failed(DecodeStatus status, std::span<Request* const> requests) {
  // The engine ends everything next, but for the rest of the step, which a lost backend forbids.
  if (interrupted_() && status != DecodeStatus::kLost) return;
  if (status == DecodeStatus::kNoRoom && parts_.cache.running() > 1)
    return parts_.seating.preempt_one();
  if (spoils(status) && status != DecodeStatus::kFailed) return device_failed(status, requests);
  if (++failures_in_a_row_ >= kFailuresUntilBroken) {
    throw std::runtime_error("eight passes failed one after another");
  }
  if (requests.size() == 1) {
    parts_.cache.clear(*requests.front());
    return parts_.endings.end(
        *requests.front(), FinishReason::kError,
        Failure{ErrorCode::kDecodeFailed,
                "The model failed to compute this request's tokens; others are not affected."});
  }
  for (Request* request : requests) {
    request->progress.isolated = true;
    if (status == DecodeStatus::kFailed) parts_.cache.clear(*request);
  }
}

}  // namespace infernode
