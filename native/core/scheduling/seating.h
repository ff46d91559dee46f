// Which requests hold sequences: assigns them to waiting requests, preempts running ones where
// others need their cells, and activates the step's LoRA adapters. Engine thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "planner.h"
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
  struct Parts {
    Backend& backend;
    Scheduler& scheduler;
    const Planner& planner;
    KvCache& cache;
  };
  Seating(const Parts& parts, Clock clock) : parts_(parts), clock_(std::move(clock)) {}

  // Assigns sequences and cells for a step. True when the step has something to compute.
  [[nodiscard]] bool prepare();
  // A pass found no free cells: preempts one request, and assigns no sequence until a pass
  // succeeds.
  void preempt_one();
  void pass_succeeded() { short_of_cells_ = false; }

  const SeatingStats& stats() const { return totals_; }

 private:
  [[nodiscard]] bool has_cells(const Request& request);
  void preempt_for_cells();
  void choose_adapters();
  void preempt(Request& request);

  const Parts parts_;
  const Clock clock_;
  bool short_of_cells_ = false;  // since a pass found none
  SeatingStats totals_;
};

}  // namespace infernode
