#include "seating.h"

namespace infernode {

bool Seating::prepare() {
  parts_.cache.begin_step();
  for (Request* request : parts_.scheduler.paused_to_preempt()) preempt(*request);
  parts_.cache.resume_awaiting();
  if (!parts_.scheduler.any_running()) short_of_cells_ = false;
  for (Request* request : parts_.scheduler.admissible()) {
    if (short_of_cells_ || !has_cells(*request)) break;
    if (request->times.scheduled < 0) request->times.scheduled = clock_();
    parts_.cache.seat(*request);
  }
  choose_adapters();
  while (const auto wanted = parts_.planner.next_move()) {
    if (!parts_.cache.move(*wanted)) break;
    ++totals_.sequence_moves;
  }
  preempt_for_cells();
  return parts_.scheduler.runnable();
}

// Makes one cell free for each request that generates: preempts the youngest until there are
// enough.
void Seating::preempt_for_cells() {
  std::int32_t wanted = parts_.scheduler.least_rows();
  while (parts_.cache.make_room(wanted) < wanted) {
    INFERNODE_CHECK(parts_.cache.running() > 1,
                    "a request alone finds no free cell in the whole cache");
    preempt(*parts_.scheduler.preemption_candidate());
    wanted = parts_.scheduler.least_rows();
    if (wanted > 0) continue;
    choose_adapters();  // no request of the active set is left
    wanted = parts_.scheduler.least_rows();
  }
}

void Seating::choose_adapters() {
  if (!parts_.scheduler.choose_adapters()) return;
  parts_.backend.use_adapters(parts_.scheduler.active_adapters());
  ++totals_.adapter_switches;
}

// Whether there are cells for a waiting request; preempts paused requests for them.
bool Seating::has_cells(const Request& request) {
  while (parts_.cache.running() > 0 && !parts_.cache.fits(request)) {
    Request* leaving = parts_.scheduler.preemption_candidate();
    if (!leaving->progress.paused) return false;
    preempt(*leaving);
  }
  return true;
}

void Seating::preempt(Request& request) {
  parts_.cache.preempt(request);
  ++totals_.preemptions;
}

void Seating::preempt_one() {
  short_of_cells_ = true;
  preempt(*parts_.scheduler.preemption_candidate());
}

}  // namespace infernode
