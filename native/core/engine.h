// The engine: one thread that owns every mutable thing of inference and does
// the same five things for ever: drain, plan, decode, sample, emit. Prompts
// are prefilled between sample and emit.
// submit(), wake(), stats() and close() may be called from any thread; step()
// is for the engine thread, or for a test that never calls start().
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "backend.h"
#include "draft_model.h"
#include "events.h"
#include "kv_cache.h"
#include "mailbox.h"
#include "prefill_budget.h"
#include "publisher.h"
#include "request.h"
#include "scheduler.h"
#include "speculation.h"
#include "token_chooser.h"
#include "worker_pool.h"

namespace infernode {

struct EngineConfig {
  std::size_t queue_limit = 1024;  // living requests (waiting and running), at most
  std::int32_t sampler_helpers = 0;
  double inter_token_latency_ms = 100;
  // Steps shorter than this share a publication, unless one brings a first
  // token or an end, or nothing follows at once.
  double publish_interval_ms = 10;
  bool speculates = false;  // guesses ahead where that was measured to pay
  // Tokens the draft model guesses in each step, whatever that costs; 0: as many as pay.
  std::size_t draft_length = 0;
  double draft_price = 1;     // its rows beside the model's own, until measured
  bool check_ledger = false;  // prove the books after each step, not only when it falls idle
  CacheConfig cache{.keeps_prefixes = true, .host_limit = std::size_t{1} << 30, .exact = false};
};

struct EngineStats {
  std::int32_t running = 0;
  std::int32_t waiting = 0;
  std::int64_t steps = 0;
  std::int64_t decode_passes = 0;
  std::int64_t prefill_passes = 0;
  std::int64_t decode_rows = 0;   // rows of requests
  std::int64_t padding_rows = 0;  // rows that filled holes
  std::int64_t prompt_tokens_computed = 0;
  std::int64_t generated_tokens = 0;
  std::int64_t drafted_tokens = 0;
  std::int64_t accepted_tokens = 0;        // of the drafted ones
  std::int64_t model_drafted_tokens = 0;   // by the draft model, and
  std::int64_t model_accepted_tokens = 0;  // of those
  std::int64_t draft_passes = 0;           // of the draft model
  std::int64_t draft_failures = 0;
  std::int64_t masked_rows = 0;  // whose first draw a grammar refused
  std::int64_t preemptions = 0;
  std::int64_t sequence_moves = 0;
  std::int64_t adapter_switches = 0;
  std::int64_t failed_passes = 0;
  std::int64_t cells_total = 0;
  CacheStats cache;
  std::int64_t graphs_reused = 0;
  double plan_ms = 0;
  double decode_ms = 0;
  double draft_ms = 0;
  double sample_ms = 0;
  double emit_ms = 0;
  double prefill_ms = 0;
};

class Engine {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // `sink` outlives the engine. `draft`, if any, computes a model of the same vocabulary
  // that guesses ahead where `speculates`.
  Engine(std::unique_ptr<Backend> backend, std::shared_ptr<const Vocab> vocab, EventSink& sink,
         EngineConfig config, Clock clock, std::unique_ptr<Backend> draft = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void start();

  // Throws Error(kContextOverflow) for a prompt that has no fewer tokens than this and
  // so cannot fit.
  void check_prompt(std::size_t least_tokens) const;
  // Accepts a request, which then ends exactly once in the sink; or refuses it
  // with a reason, and nothing about it is ever published.
  [[nodiscard]] std::optional<Failure> submit(RequestId id, std::vector<TokenId> prompt,
                                              GenerateParams params,
                                              std::shared_ptr<RequestControl> control);
  // Accepts a request that goes on where `source` is when the engine next looks:
  // it is told what was generated until then, and draws by `seed` from there.
  // Ends as kInvalidOption when `source` has ended.
  [[nodiscard]] std::optional<Failure> fork(RequestId source, RequestId id, std::uint64_t seed,
                                            std::shared_ptr<RequestControl> control);
  // Has the engine thread do this between two steps; with nullptr, and perhaps
  // at once, when the engine has ended. Done exactly once, whatever happens.
  void call(std::function<void(KvCache*)> work);
  // Makes the engine look at the controls of its requests again.
  void wake() { mailbox_.wake(); }
  // Ends everything that lives as cancelled and joins the thread. Idempotent.
  void close();

  EngineStats stats() const;
  const BackendLimits& limits() const { return limits_; }

  // One beat. False when there was nothing to compute.
  bool step();

 private:
  struct Fork {
    RequestId source;
    RequestId id;
    std::uint64_t seed;
    std::shared_ptr<RequestControl> control;
    double accepted;
  };
  using Call = std::function<void(KvCache*)>;
  using Arrival = std::variant<std::unique_ptr<Request>, Fork, Call>;

  [[nodiscard]] std::optional<Failure> admit(Arrival arrival);
  void run();
  void drain();
  void take_arrivals();
  void take(Arrival& arrival);
  void take_call(Arrival& arrival, KvCache* cache);
  void accept(const Fork& fork);
  void end_arrivals(FinishReason reason, const std::optional<Failure>& failure);
  void end_arrival(Arrival& arrival, FinishReason reason, std::optional<Failure> failure);
  [[nodiscard]] bool make_room();
  [[nodiscard]] bool finds_room(const Request& request);
  void choose_turn();
  void set_aside(Request& request);
  void decode(const std::vector<DecodeRow>& rows);
  struct SampleRow {
    Request* request;
    std::size_t row;  // of the pass just computed
  };
  void sample(const std::vector<SampleRow>& rows);
  void emit();
  void publish();
  void take_cells();
  [[nodiscard]] bool shares_pass(const std::vector<DecodeRow>& rows) const;
  void compute_shared(const std::vector<DecodeRow>& rows);
  void prefill();
  [[nodiscard]] bool prefill_group(const PrefillGroup& group);

  void finish_embedding(Request& request, std::size_t row);
  void leave(Request& request, bool keep_computed);
  void remove(Request& request);
  [[nodiscard]] bool apply(Request& request, TokenChoice choice);
  std::size_t draft(const std::vector<DecodeRow>& rows);
  [[nodiscard]] bool may_draft(const std::vector<DecodeRow>& rows) const;
  [[nodiscard]] std::optional<DraftCost> cost_of_model(const std::vector<DecodeRow>& rows) const;
  double model_reading_ms(std::size_t tokens) const;
  [[nodiscard]] bool draft_by_model(const std::vector<DecodeRow>& rows, std::size_t length);
  void ask_model(const std::vector<DecodeRow>& rows, const DraftCost& cost);
  void model_failed(const std::vector<Guesser*>& guessers);
  void judge_guesses(Request& request, std::size_t index, TokenId token);
  void decode_drafted(const std::vector<DecodeRow>& rows, std::size_t length);
  void keep_hits(Request& request, std::size_t first);
  [[nodiscard]] std::optional<FinishReason> finish_reason(const Request& request,
                                                          const TokenChoice& choice) const;
  void end(Request& request, FinishReason reason, std::optional<Failure> failure = std::nullopt);
  void pass_succeeded();
  void pass_failed(DecodeStatus status, const std::vector<Request*>& requests);
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

  Mailbox<Arrival> mailbox_;
  std::vector<Arrival> arrivals_;  // out of the mailbox; those from taken_ on still wait
  std::size_t taken_ = 0;
  std::atomic<std::size_t> living_{0};
  KvCache cache_;
  Scheduler scheduler_;
  PrefillBudget budget_;
  Speculation speculation_;
  std::unique_ptr<DraftModel> draft_model_;  // may be absent
  std::int32_t draft_failures_in_a_row_ = 0;
  WorkerPool pool_;
  std::vector<SamplerScratch> scratch_;  // one per worker of the pool
  EngineStats totals_;
  std::int32_t failures_in_a_row_ = 0;
  bool short_of_room_ = false;  // a pass found none: nobody is seated until one succeeds
  std::int64_t passes_before_ = 0;
  std::int32_t idle_steps_ = 0;  // in a row, that had work and computed nothing
  bool unproven_ = false;        // the books, since something was computed

  mutable std::mutex shared_mutex_;  // guards the two below
  EngineStats published_stats_;
  std::optional<Failure> broken_;

  std::mutex close_mutex_;
  std::thread thread_;
};

}  // namespace infernode
