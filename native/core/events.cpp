#include "events.h"

#include <algorithm>
#include <iterator>

namespace infernode {

namespace {

// As push_back() grows: a vector that is only reserved for what comes next would be copied each
// time.
template <typename Event>
void make_room(std::vector<Event>& events, std::size_t more) {
  const std::size_t needed = events.size() + more;
  if (needed > events.capacity()) events.reserve(std::max(needed, 2 * events.capacity()));
}

template <typename Event>
void move_all(std::vector<Event>& from, std::vector<Event>& to) noexcept {
  std::ranges::move(from, std::back_inserter(to));
  from.clear();
}

}  // namespace

void StepEvents::append(StepEvents&& later) {
  make_room(accepted, later.accepted.size());
  make_room(prompts, later.prompts.size());
  make_room(prompt_log_probs, later.prompt_log_probs.size());
  make_room(deltas, later.deltas.size());
  make_room(ends, later.ends.size());
  move_all(later.accepted, accepted);
  move_all(later.prompts, prompts);
  move_all(later.prompt_log_probs, prompt_log_probs);
  move_all(later.deltas, deltas);
  move_all(later.ends, ends);
}

}  // namespace infernode
