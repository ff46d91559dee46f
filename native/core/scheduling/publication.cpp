#include "publication.h"

namespace infernode {

// Acceptances are published with tokens. Where no request generates, so that no tokens follow soon
// and the step may read a long prompt, they are published before, unless something was published
// since the last drain: a request in every step costs no publication of its own.
void Publication::drained() {
  just_published_ = std::exchange(published_, false);
  if (overlaps_ || just_published_) return;
  if (parts_.publisher.acceptance_awaited() && !parts_.scheduler.generates()) publish();
}

void Publication::in_pass() {
  if (!parts_.publisher.empty() && !just_published_ && due()) publish();
  published_ = false;
}

// Where passes overlap with the engine's own work, events wait for the next pass. A step that had
// no such pass publishes them itself.
void Publication::end_step() {
  if (parts_.publisher.empty()) return;
  if (overlaps_ && overlapped_ && parts_.scheduler.runnable()) return;
  if (due()) publish();
}

// Whether events should not wait for another step.
bool Publication::due() const {
  return !parts_.scheduler.generates() || !parts_.publisher.may_wait(clock_());
}

void Publication::publish() {
  before_();
  published_ = true;
  const double started = clock_();
  parts_.publisher.publish(started);
  ms_ += clock_() - started;
}

}  // namespace infernode
