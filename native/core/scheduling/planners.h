// Makes the planner for the shape of a backend's passes (BackendLimits::rectangular). Engine thread
// only.
#pragma once

#include <memory>

#include "planner.h"
#include "scheduler.h"

namespace infernode {

// All of them outlive the planner.
std::unique_ptr<Planner> make_planner(const BackendLimits& limits, const Scheduler& scheduler,
                                      KvCache& cache);

}  // namespace infernode
