// The end of an engine whose device can compute nothing more.
#pragma once

#include <stdexcept>
#include <utility>

#include "types.h"

namespace infernode {

// Thrown on the engine's thread; every request then ends with `failure`.
class DeviceLost : public std::runtime_error {
 public:
  explicit DeviceLost(Failure why) : std::runtime_error(why.message), failure(std::move(why)) {}

  const Failure failure;
};

}  // namespace infernode
