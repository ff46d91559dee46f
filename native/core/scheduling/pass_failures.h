// Which requests a failing pass isolates, preempts or ends, and when the engine must stop. Engine
// thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "endings.h"
#include "request.h"
#include "seating.h"

namespace infernode {

class PassFailures {
 public:
  // All of them outlive this.
  struct Parts {
    KvCache& cache;
    Seating& seating;
    Endings& endings;
  };
  // `device` names what computes, for messages. `interrupted`: whether the engine is closing, which
  // makes passes fail.
  PassFailures(const Parts& parts, std::string device, std::function<bool()> interrupted);

  void succeeded();
  // A pass of these requests failed. Throws after too many failing passes in a row, and DeviceLost.
  void failed(DecodeStatus status, std::span<Request* const> requests);

 private:
  void device_failed(DecodeStatus status, std::span<Request* const> requests);

  const Parts parts_;
  const std::string device_;
  const std::function<bool()> interrupted_;
  std::int32_t failures_in_a_row_ = 0;
  std::int32_t device_failures_in_a_row_ = 0;
};

}  // namespace infernode
