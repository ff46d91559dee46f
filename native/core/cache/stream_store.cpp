#include "stream_store.h"

namespace infernode {

std::int64_t StreamStore::capacity() const {
  const BackendLimits& limits = backend_.limits();
  return static_cast<std::int64_t>(limits.slots) * limits.context_length;
}

bool StreamStore::copy(SequenceId from, SequenceId to, Position length) {
  const Position whole = resident(from);
  if (!backend_.limits().can_truncate && length != whole) return false;
  const double started = now();
  if (copied_from_ != from) {
    copied_state_ = save(from, kAnySize);
    copied_from_ = from;
  }
  if (copied_state_.empty() || !restore(to, copied_state_, whole)) return false;
  if (!truncate(to, length)) {
    clear(to);
    return false;
  }
  transferred(whole, started);
  return true;
}

void StreamStore::changed(SequenceId sequence) {
  if (copied_from_ == sequence) copied_from_ = kNoSequence;
}

}  // namespace infernode
