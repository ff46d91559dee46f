// The engine: one thread that owns all mutable state of inference and repeats a step: drain, plan,
// compute, emit. Each pass is sampled when it ends. In a pool of cells, decode rows and prompt rows
// share a pass; with a stream per slot, passes of prompt rows follow the decode pass.
// Any thread may call the public functions, except step(): that is for the engine thread, or for a
// test that never calls start().
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
#include "core/sampling/row_workers.h"
#include "core/sampling/token_chooser.h"
#include "core/scheduling/admission.h"
#include "core/scheduling/endings.h"
#include "core/scheduling/pass_failures.h"
#include "core/scheduling/pass_outputs.h"
#include "core/scheduling/passes.h"
#include "core/scheduling/planner.h"
#include "core/scheduling/prompt_scorer.h"
#include "core/scheduling/publication.h"
#include "core/scheduling/publisher.h"
#include "core/scheduling/request.h"
#include "core/scheduling/scheduler.h"
#include "core/scheduling/seating.h"
#include "engine_config.h"
#include "events.h"

namespace infernode {

class Engine {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // Throws what check_against() does. `sink` outlives the engine. `draft`, if any, is the backend
  // of a draft model with the same vocabulary.
  Engine(std::unique_ptr<Backend> backend, std::shared_ptr<const Vocab> vocab, EventSink& sink,
         EngineConfig config, Clock clock, std::unique_ptr<Backend> draft = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void start();

  // Throws Error(kContextOverflow) if a prompt of at least so many tokens cannot fit.
  void check_prompt(std::size_t least_tokens) const { admission_.check_prompt(least_tokens); }
  // Queues a request, which ends exactly once in the sink; or refuses it with a reason, and
  // publishes nothing about it.
  [[nodiscard]] std::optional<Failure> submit(RequestId id, std::vector<TokenId> prompt,
                                              GenerateParams params,
                                              std::shared_ptr<RequestControl> control) {
    return admission_.submit(id, std::move(prompt), std::move(params), std::move(control));
  }
  // Queues a copy of the request `source`, which continues from its state at the start of the next
  // step, with the random seed `seed`; the tokens generated until then are published for the copy
  // too. Ends with kInvalidOption if `source` has ended by then.
  [[nodiscard]] std::optional<Failure> fork(RequestId source, RequestId id, std::uint64_t seed,
                                            std::shared_ptr<RequestControl> control) {
    return admission_.fork(source, id, seed, std::move(control));
  }
  // Runs `work` on the engine thread between two passes, exactly once; with nullptr, and perhaps at
  // once, if the engine has ended.
  void call(Admission::Call work) { admission_.call(std::move(work)); }
  // Makes an idle engine read the controls of its requests again.
  void wake() { admission_.wake(); }
  // Ends all requests as cancelled and joins the thread. Idempotent.
  void close();

  EngineStats stats() const;
  // True once the engine has stopped after an error: it refuses every request.
  [[nodiscard]] bool broken() const { return admission_.broken(); }

  // One step. False when there was nothing to compute.
  bool step();

 private:
  void run();
  void drain();
  [[nodiscard]] std::optional<std::vector<DecodeRow>> plan();
  void compute(const std::vector<DecodeRow>& rows);
  void meanwhile();
  void check_progress();
  void finish(const std::exception_ptr& cause) noexcept;
  void end_all(FinishReason reason, const std::optional<Failure>& failure);
  double computed_ms() const;
  double sample_ms() const { return outputs_.ms() + scorer_.ms(); }
  void record_stats();
  void publish_stats();
  void check_ledger(bool idle);

  std::unique_ptr<Backend> backend_;
  const TokenChooser chooser_;
  Publisher publisher_;
  const EngineConfig config_;
  const Clock clock_;
  const BackendLimits limits_;

  KvCache cache_;
  Scheduler scheduler_;
  Publication publication_;
  const std::unique_ptr<Planner> planner_;
  Admission admission_;
  Seating seating_;
  Drafting drafting_;
  Endings endings_;
  RowWorkers row_workers_;
  PassOutputs outputs_;
  PromptScorer scorer_;
  PassFailures failures_;
  Passes passes_;
  EngineStats totals_;
  std::int64_t passes_before_ = 0;
  std::int32_t idle_steps_ = 0;    // in a row, that had work and ran no pass
  bool ledger_unchecked_ = false;  // the books may have changed since they were checked

  mutable std::mutex stats_mutex_;  // guards the next one
  EngineStats published_stats_;

  std::mutex close_mutex_;
  std::thread thread_;
};

}  // namespace infernode
