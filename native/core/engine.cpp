#include "engine.h"

#include <exception>
#include <utility>

#include "core/scheduling/planners.h"

namespace infernode {

Engine::Engine(std::unique_ptr<Backend> backend, std::shared_ptr<const Vocab> vocab,
               EventSink& sink, EngineConfig config, Clock clock, std::unique_ptr<Backend> draft)
    : backend_(std::move(backend)),
      chooser_(std::move(vocab)),
      publisher_(sink, config.publish_interval_ms),
      config_(config),
      clock_(std::move(clock)),
      limits_(backend_->limits()),
      cache_(*backend_, config.cache, clock_),
      scheduler_(cache_),
      publication_({publisher_, scheduler_}, limits_.facts.asynchronous, clock_,
                   [this] { record_stats(); }),
      planner_(make_planner(limits_, scheduler_, cache_)),
      admission_({scheduler_, cache_, publisher_, chooser_}, limits_, config.queue_limit, clock_),
      seating_({*backend_, scheduler_, *planner_, cache_}, clock_),
      drafting_(limits_, config.drafting, std::move(draft), clock_, [this] { meanwhile(); }),
      endings_({scheduler_, cache_, drafting_, publisher_, admission_.living()},
               limits_.context_length, clock_),
      row_workers_(config.sampler_helpers),
      outputs_({*backend_, row_workers_, chooser_, drafting_, cache_, endings_}, clock_),
      scorer_({*backend_, row_workers_, endings_, publisher_}, clock_),
      failures_({cache_, seating_, endings_}, limits_.facts.where,
                [this] { return admission_.closed(); }),
      passes_({*backend_, scheduler_, *planner_, cache_, drafting_, outputs_, scorer_, failures_},
              config.inter_token_latency_ms, clock_, [this] { meanwhile(); }) {
  check_against(limits_.facts, config_);
  totals_.cells_total = cache_.capacity();
  record_stats();
}

Engine::~Engine() { close(); }

void Engine::start() {
  thread_ = std::thread([this] { run(); });
}

void Engine::close() {
  admission_.close();
  backend_->interrupt();
  drafting_.interrupt();
  const std::lock_guard lock(close_mutex_);
  if (thread_.joinable()) thread_.join();
  finish(nullptr);  // for an engine that was never started; otherwise run() has done this
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(stats_mutex_);
  return published_stats_;
}

void Engine::run() {
  std::exception_ptr cause;
  try {
    while (!admission_.closed()) {
      if (!step()) admission_.wait();
    }
  } catch (...) {
    cause = std::current_exception();
  }
  finish(cause);
}

// Drain, plan, compute the passes and sample each, emit.
bool Engine::step() {
  const double started = clock_();
  const double computed_before = computed_ms();
  drain();
  const std::optional<std::vector<DecodeRow>> rows = plan();
  if (rows) compute(*rows);
  check_ledger(!rows);
  publication_.end_step();
  totals_.other_ms += clock_() - started - (computed_ms() - computed_before);
  record_stats();
  return rows.has_value();
}

// The decode rows of the step, perhaps none beside prompt rows; nothing when there is nothing to
// compute.
std::optional<std::vector<DecodeRow>> Engine::plan() {
  const double started = clock_();
  const bool runnable = seating_.prepare();
  std::optional<std::vector<DecodeRow>> rows;
  if (runnable) rows = planner_->decode_rows();
  totals_.plan_ms += clock_() - started;
  return rows;
}

void Engine::compute(const std::vector<DecodeRow>& rows) {
  passes_.compute(rows);
  ++totals_.steps;
  check_progress();
  totals_.setups_reused = backend_->setups_reused();
}

// Milliseconds in passes and in the choice of tokens, so far.
double Engine::computed_ms() const {
  const PassStats& passes = passes_.stats();
  return passes.decode_ms + passes.prefill_ms + drafting_.stats().draft_ms + sample_ms();
}

// Only a step to which nothing arrives, in an engine without requests, leaves the books as they
// were.
void Engine::drain() {
  publication_.begin_step();
  if (!scheduler_.living().empty()) ledger_unchecked_ = true;
  if (admission_.take_arrivals()) ledger_unchecked_ = true;
  for (Request* request : scheduler_.read_controls())
    endings_.end(*request, FinishReason::kCancelled);
  publication_.drained();
}

// While the first pass of a step is computed: admits new requests, and publishes the events of the
// step before. Nothing here may call the backend.
void Engine::meanwhile() {
  if (!publication_.begin_pass()) return;
  const double started = clock_();
  admission_.take_requests();
  publication_.in_pass();
  totals_.overlapped_ms += clock_() - started;
}

void Engine::record_stats() {
  totals_.running = cache_.running();
  totals_.waiting = scheduler_.waiting();
  totals_.cache = cache_.stats();
  publish_stats();
}

void Engine::publish_stats() {
  static_cast<PassStats&>(totals_) = passes_.stats();
  static_cast<DraftingStats&>(totals_) = drafting_.stats();
  static_cast<TokenStats&>(totals_) = endings_.stats();
  static_cast<SeatingStats&>(totals_) = seating_.stats();
  totals_.sample_ms = sample_ms();
  totals_.emit_ms = publication_.ms();
  const std::lock_guard lock(stats_mutex_);
  published_stats_ = totals_;
}

}  // namespace infernode
