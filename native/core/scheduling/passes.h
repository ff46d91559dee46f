// The passes of a step, and what follows from them: decode rows, with guessed tokens where that
// pays, then prompt rows within the budget; the next token of each request whose known tokens are
// all computed; and which requests a failing pass ends. Engine thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "core/drafting/drafting.h"
#include "core/sampling/token_chooser.h"
#include "core/sampling/worker_pool.h"
#include "endings.h"
#include "pass.h"
#include "pass_runner.h"
#include "planner.h"
#include "prefill_budget.h"
#include "request.h"
#include "scheduler.h"
#include "seating.h"

namespace infernode {

class Passes {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // What passes are computed with. All of them outlive this.
  struct Parts {
    Backend& backend;
    const Scheduler& scheduler;
    Planner& planner;
    KvCache& cache;
    Seating& seating;
    Drafting& drafting;
    Endings& endings;
    const TokenChooser& chooser;
    Publisher& publisher;
  };
  struct Config {
    double inter_token_latency_ms = 100;
    std::int32_t sampler_helpers = 0;
  };
  struct Hooks {
    std::function<bool()> interrupted;  // whether the engine is closing, which makes passes fail
    std::function<void()> meanwhile;    // of PassRunner
  };
  Passes(const Parts& parts, Config config, Clock clock, Hooks hooks);

  // Computes these decode rows, and prompt rows. Throws after too many failing passes in a row.
  void compute(const std::vector<DecodeRow>& rows);

  const PassStats& stats() const { return runner_.stats(); }
  double sample_ms() const { return sample_ms_; }

 private:
  // The prompt passes of a step, planned while its decode pass is computed.
  struct Ahead {
    std::int32_t budget = 0;  // rows; 0: nothing is planned ahead
    std::optional<std::vector<PassShares>> passes;
  };

  [[nodiscard]] bool decode(const std::vector<DecodeRow>& rows);
  std::size_t propose(const std::vector<DecodeRow>& rows);
  [[nodiscard]] bool decode_guessed(const std::vector<DecodeRow>& rows, std::size_t length);
  void keep_hits(Request& request, std::size_t first);
  void read_prompts(const std::vector<PassShares>& passes);
  void while_computing();
  [[nodiscard]] bool read(const PassShares& shares, std::int32_t generating);
  [[nodiscard]] std::vector<Request*> tell_prompts(const Pass& pass);
  [[nodiscard]] std::optional<Failure> tell_prompt(Request& request,
                                                   std::span<const TellingRow> rows);
  void sample(const std::vector<ReadyRow>& rows);
  [[nodiscard]] std::optional<double> run(const Pass& pass);
  void device_failed(DecodeStatus status, std::span<Request* const> requests);
  void failed(DecodeStatus status, std::span<Request* const> requests);

  const Parts parts_;
  const BackendLimits limits_;
  const Clock clock_;
  const Hooks hooks_;
  PassRunner runner_;
  PrefillBudget budget_;
  WorkerPool samplers_;
  std::vector<SamplerScratch> scratch_;  // one per thread of `samplers_`
  Ahead ahead_;
  std::int32_t failures_in_a_row_ = 0;
  std::int32_t device_failures_in_a_row_ = 0;
  double sample_ms_ = 0;
};

}  // namespace infernode
