// The exception for a device that failed in consecutive passes, which stops the engine.
// Engine thread only.
#pragma once

#include <stdexcept>
#include <utility>

#include "types.h"

namespace infernode {

// Every request ends with `failure`.
class DeviceLost : public std::runtime_error {
 public:
  explicit DeviceLost(Failure why) : std::runtime_error(why.message), failure(std::move(why)) {}

  const Failure failure;
};

}  // namespace infernode
