#include "engine.h"

#include <exception>
#include <utility>

#include "core/scheduling/pool_planner.h"
#include "core/scheduling/stream_planner.h"

namespace infernode {

namespace {

std::unique_ptr<Planner> make_planner(const BackendLimits& limits, const Scheduler& scheduler,
                                      KvCache& cache) {
  if (limits.unified) return std::make_unique<PoolPlanner>(limits, scheduler, cache);
  return std::make_unique<StreamPlanner>(limits, scheduler, cache);
}

}  // namespace

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
      planner_(make_planner(limits_, scheduler_, cache_)),
      admission_({scheduler_, cache_, publisher_, chooser_}, limits_, config.queue_limit, clock_),
      seating_({*backend_, scheduler_, *planner_, cache_}, clock_),
      drafting_(limits_, config.drafting, std::move(draft), clock_),
      endings_({scheduler_, cache_, drafting_, publisher_, admission_.living()},
               limits_.context_length, clock_),
      passes_({*backend_, scheduler_, *planner_, cache_, seating_, drafting_, endings_, chooser_,
               publisher_},
              {config.inter_token_latency_ms, config.sampler_helpers}, clock_,
              [this] { return admission_.closed(); }) {
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
  finish(nullptr);  // of an engine that was never started; others have nothing left
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

// Drain, plan, decode and sample, prefill, emit.
bool Engine::step() {
  drain();
  const double started = clock_();
  const bool runnable = seating_.prepare();
  const std::vector<DecodeRow> rows = planner_->decode_rows();
  totals_.plan_ms += clock_() - started;
  if (runnable) {
    passes_.compute(rows);
    ++totals_.steps;
    must_progress();
    unproven_ = true;
  }
  if (unproven_ && (config_.check_ledger || !runnable)) check_ledger();
  emit();
  record_stats();
  return runnable;
}

void Engine::drain() {
  admission_.take_arrivals();
  for (Request* request : scheduler_.review()) endings_.end(*request, FinishReason::kCancelled);
  tell_accepted();
}

// Acceptances travel with tokens. Where no tokens follow soon, since the step may read a
// long prompt, they go ahead of it, unless that would be a second wake-up for one step.
void Engine::tell_accepted() {
  const bool told = std::exchange(published_, false);
  if (publisher_.acceptance_awaited() && !told && !scheduler_.generates()) publish();
}

void Engine::emit() {
  if (publisher_.empty()) return;
  const bool more_follows = scheduler_.generates();
  if (!more_follows || !publisher_.may_wait(clock_())) publish();
}

void Engine::publish() {
  record_stats();  // who hears of an end finds it in the figures
  published_ = true;
  const double started = clock_();
  publisher_.publish(started);
  totals_.emit_ms += clock_() - started;
}

void Engine::record_stats() {
  totals_.running = cache_.running();
  totals_.waiting = scheduler_.waiting();
  totals_.cache = cache_.stats();
  totals_.graphs_reused = backend_->graphs_reused();
  publish_stats();
}

void Engine::publish_stats() {
  static_cast<PassStats&>(totals_) = passes_.stats();
  static_cast<DraftingStats&>(totals_) = drafting_.stats();
  static_cast<TokenStats&>(totals_) = endings_.stats();
  static_cast<SeatingStats&>(totals_) = seating_.stats();
  totals_.sample_ms = passes_.sample_ms();
  const std::lock_guard lock(stats_mutex_);
  published_stats_ = totals_;
}

}  // namespace infernode
