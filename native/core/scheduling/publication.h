// Decides in which moments of a step the collected events are published, and has Publisher publish
// them: at most once per step (short steps share one, see Publisher), and once more in a step that
// accepts a request on an engine that generates nothing (0028). Where passes overlap with the
// engine's own work, the events of a step are published during the next step's first pass (0045),
// else at its end; so the last of such steps publishes the one before it and its own. Engine thread
// only.
#pragma once

#include <functional>
#include <utility>

#include "publisher.h"
#include "scheduler.h"

namespace infernode {

class Publication {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // Both outlive this.
  struct Parts {
    Publisher& publisher;
    const Scheduler& scheduler;
  };
  // `overlaps`: passes are computed while the engine works. `before` is called before events are
  // published: figures that contain a request's end must be there before its end is.
  Publication(const Parts& parts, bool overlaps, Clock clock, std::function<void()> before)
      : parts_(parts), overlaps_(overlaps), clock_(std::move(clock)), before_(std::move(before)) {}

  // The moments of a step, in this order.
  void begin_step() { overlapped_ = false; }
  // Arrivals are accepted: may publish their acceptances.
  void drained();
  // A pass is being computed. True for the first one of a step, after which in_pass() follows.
  [[nodiscard]] bool begin_pass() { return !std::exchange(overlapped_, true); }
  // May publish the events of the step before.
  void in_pass();
  // May publish the events of this step.
  void end_step();

  // Milliseconds spent on publishing, so far.
  double ms() const { return ms_; }

 private:
  [[nodiscard]] bool due() const;
  void publish();

  const Parts parts_;
  const bool overlaps_;
  const Clock clock_;
  const std::function<void()> before_;
  bool published_ = false;       // since the last drain, without in_pass()
  bool just_published_ = false;  // published_ at the last drain
  bool overlapped_ = false;      // a pass of this step has begun, where passes overlap
  double ms_ = 0;
};

}  // namespace infernode
