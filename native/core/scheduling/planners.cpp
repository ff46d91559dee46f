#include "planners.h"

#include "pool_planner.h"
#include "stream_planner.h"

namespace infernode {

std::unique_ptr<Planner> make_planner(const BackendLimits& limits, const Scheduler& scheduler,
                                      KvCache& cache) {
  if (!limits.rectangular) return std::make_unique<PoolPlanner>(limits, scheduler, cache);
  return std::make_unique<StreamPlanner>(limits, scheduler, cache);
}

}  // namespace infernode
