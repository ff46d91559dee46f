// The engine: one thread that owns every mutable thing of inference and does
// the same five things for ever: drain, plan, decode, sample, emit. Prompts
// are prefilled between sample and emit.
// submit(), wake(), stats() and close() may be called from any thread; step()
// is for the engine thread, or for a test that never calls start().
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "backend.h"
#include "core/cache/kv_cache.h"
#include "core/drafting/drafting.h"
#include "core/sampling/token_chooser.h"
#include "core/scheduling/admission.h"
#include "core/scheduling/endings.h"
#include "core/scheduling/passes.h"
#include "core/scheduling/planner.h"
#include "core/scheduling/publisher.h"
#include "core/scheduling/request.h"
#include "core/scheduling/scheduler.h"
#include "core/scheduling/seating.h"
#include "events.h"

namespace infernode {

struct EngineConfig {
  std::size_t queue_limit = 1024;  // living requests (waiting and running), at most
  std::int32_t sampler_helpers = 0;
  double inter_token_latency_ms = 100;
  // Steps shorter than this share a publication, unless one brings a first
  // token or an end, or nothing follows at once.
  double publish_interval_ms = 10;
  DraftingConfig drafting = {};
  bool check_ledger = false;  // prove the books after each step, not only when it falls idle
  CacheConfig cache{
      .keeps_prefixes = true, .host_limit = std::size_t{1} << 30, .deterministic = false};
};

struct EngineStats : PassStats, DraftingStats, TokenStats, SeatingStats {
  std::int32_t running = 0;
  std::int32_t waiting = 0;
  std::int64_t steps = 0;
  std::int64_t cells_total = 0;
  CacheStats cache;
  std::int64_t graphs_reused = 0;
  double plan_ms = 0;
  double sample_ms = 0;
  double emit_ms = 0;
};

class Engine {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // `sink` outlives the engine. `draft`, if any, computes a model of the same vocabulary
  // that guesses ahead where `config.drafting` has it guess.
  Engine(std::unique_ptr<Backend> backend, std::shared_ptr<const Vocab> vocab, EventSink& sink,
         EngineConfig config, Clock clock, std::unique_ptr<Backend> draft = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void start();

  // Throws Error(kContextOverflow) for a prompt that has no fewer tokens than this and
  // so cannot fit.
  void check_prompt(std::size_t least_tokens) const { admission_.check_prompt(least_tokens); }
  // Queues a request, which the engine thread then accepts or ends, and which ends
  // exactly once in the sink; or refuses it with a reason, and nothing about it is ever
  // published.
  [[nodiscard]] std::optional<Failure> submit(RequestId id, std::vector<TokenId> prompt,
                                              GenerateParams params,
                                              std::shared_ptr<RequestControl> control) {
    return admission_.submit(id, std::move(prompt), std::move(params), std::move(control));
  }
  // Queues a request that goes on where `source` is when the engine next looks:
  // it is told what was generated until then, and draws by `seed` from there.
  // Ends as kInvalidOption when `source` has ended.
  [[nodiscard]] std::optional<Failure> fork(RequestId source, RequestId id, std::uint64_t seed,
                                            std::shared_ptr<RequestControl> control) {
    return admission_.fork(source, id, seed, std::move(control));
  }
  // Has the engine thread do this between two steps; with nullptr, and perhaps
  // at once, when the engine has ended. Done exactly once, whatever happens.
  void call(Admission::Call work) { admission_.call(std::move(work)); }
  // Makes the engine look at the controls of its requests again.
  void wake() { admission_.wake(); }
  // Ends everything that lives as cancelled and joins the thread. Idempotent.
  void close();

  EngineStats stats() const;
  // True once the engine has stopped by itself: it refuses every request.
  [[nodiscard]] bool broken() const { return admission_.broken(); }
  const BackendLimits& limits() const { return limits_; }

  // One beat. False when there was nothing to compute.
  bool step();

 private:
  void run();
  void drain();
  void tell_accepted();
  void emit();
  void publish();
  void must_progress();
  void finish(const std::exception_ptr& cause) noexcept;
  void end_all(FinishReason reason, const std::optional<Failure>& failure);
  void record_stats();
  void publish_stats();
  void check_ledger();

  std::unique_ptr<Backend> backend_;
  const TokenChooser chooser_;
  Publisher publisher_;
  const EngineConfig config_;
  const Clock clock_;
  const BackendLimits limits_;

  KvCache cache_;
  Scheduler scheduler_;
  const std::unique_ptr<Planner> planner_;
  Admission admission_;
  Seating seating_;
  Drafting drafting_;
  Endings endings_;
  Passes passes_;
  EngineStats totals_;
  std::int64_t passes_before_ = 0;
  std::int32_t idle_steps_ = 0;  // in a row, that had work and computed nothing
  bool unproven_ = false;        // the books, since something was computed
  bool published_ = false;       // something, since the last drain

  mutable std::mutex stats_mutex_;  // guards the next one
  EngineStats published_stats_;

  std::mutex close_mutex_;
  std::thread thread_;
};

}  // namespace infernode
