// Which requests hold sequences: seats those that wait, preempts running ones where others need
// their room, gives each set of adapters its turn. Engine thread only.
#pragma once

#include <cstdint>
#include <functional>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "request.h"
#include "scheduler.h"

namespace infernode {

struct SeatingStats {
  std::int64_t preemptions = 0;
  std::int64_t sequence_moves = 0;
  std::int64_t adapter_switches = 0;
};

class Seating {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // All of them outlive this.
  Seating(Backend& backend, Scheduler& scheduler, KvCache& cache, Clock clock);

  // Makes a step's places ready. True when the step then has something to compute.
  [[nodiscard]] bool prepare();
  // A pass found no room: the first to leave does so, and nobody is seated until a pass succeeds.
  void give_way();
  void pass_succeeded() { short_of_room_ = false; }

  const SeatingStats& stats() const { return totals_; }

 private:
  [[nodiscard]] bool finds_room(const Request& request);
  void take_cells();
  void choose_turn();
  void preempt(Request& request);

  Backend& backend_;
  Scheduler& scheduler_;
  KvCache& cache_;
  const Clock clock_;
  bool short_of_room_ = false;  // since a pass found none
  SeatingStats totals_;
};

}  // namespace infernode
