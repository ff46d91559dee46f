#include "seating.h"

#include <utility>

namespace infernode {

Seating::Seating(Backend& backend, Scheduler& scheduler, KvCache& cache, Clock clock)
    : backend_(backend), scheduler_(scheduler), cache_(cache), clock_(std::move(clock)) {}

bool Seating::prepare() {
  cache_.begin_step();
  for (Request* request : scheduler_.paused_in_the_way()) preempt(*request);
  cache_.resume_awaiting();
  if (!scheduler_.any_running()) short_of_room_ = false;
  for (Request* request : scheduler_.admissible()) {
    if (short_of_room_ || !finds_room(*request)) break;
    if (request->times.scheduled < 0) request->times.scheduled = clock_();
    cache_.seat(*request);
  }
  choose_turn();
  while (const auto wanted = scheduler_.next_move()) {
    if (!cache_.move(*wanted)) break;
    ++totals_.sequence_moves;
  }
  take_cells();
  return scheduler_.runnable();
}

// Each request that generates gets a cell; the youngest are preempted until there are as many.
void Seating::take_cells() {
  std::int32_t wanted = scheduler_.least_rows();
  while (cache_.room(wanted) < wanted) {
    INFERNODE_CHECK(cache_.running() > 1, "a request alone has no room in all cells");
    preempt(*scheduler_.first_to_leave());
    wanted = scheduler_.least_rows();
    if (wanted > 0) continue;
    choose_turn();  // nobody of this one is left
    wanted = scheduler_.least_rows();
  }
}

void Seating::choose_turn() {
  if (!scheduler_.take_turn()) return;
  backend_.use_adapters(scheduler_.turn());
  ++totals_.adapter_switches;
}

// Whether there are cells for a waiting request, if need be those of paused ones.
bool Seating::finds_room(const Request& request) {
  while (cache_.running() > 0 && !cache_.fits(request)) {
    Request* leaving = scheduler_.first_to_leave();
    if (!leaving->progress.paused) return false;
    preempt(*leaving);
  }
  return true;
}

void Seating::preempt(Request& request) {
  cache_.preempt(request);
  ++totals_.preemptions;
}

void Seating::give_way() {
  short_of_room_ = true;
  preempt(*scheduler_.first_to_leave());
}

}  // namespace infernode
