// The passes of a step: decode rows, with draft tokens where that pays, then prompt rows within the
// budget. Runs them (PassRunner); PassOutputs and PromptScorer then process the computed ones, and
// PassFailures those that failed. Engine thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "core/drafting/drafting.h"
#include "pass.h"
#include "pass_failures.h"
#include "pass_outputs.h"
#include "pass_runner.h"
#include "planner.h"
#include "prefill_budget.h"
#include "prompt_scorer.h"
#include "scheduler.h"

namespace infernode {

class Passes {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // All of them outlive this.
  struct Parts {
    Backend& backend;
    const Scheduler& scheduler;
    Planner& planner;
    KvCache& cache;
    Drafting& drafting;
    PassOutputs& outputs;
    PromptScorer& scorer;
    PassFailures& failures;
  };
  // `meanwhile`: of PassRunner.
  Passes(const Parts& parts, double inter_token_latency_ms, Clock clock,
         std::function<void()> meanwhile);

  // Computes these decode rows, and prompt rows. Throws after too many failing passes in a row.
  void compute(const std::vector<DecodeRow>& rows);

  const PassStats& stats() const { return runner_.stats(); }

 private:
  // The prompt passes of a step, planned while its decode pass is computed.
  struct Ahead {
    std::int32_t budget = 0;  // rows; 0: nothing is planned ahead
    std::optional<std::vector<PassShares>> passes;
  };

  [[nodiscard]] bool decode(const std::vector<DecodeRow>& rows);
  std::size_t propose(const std::vector<DecodeRow>& rows);
  [[nodiscard]] bool verify_drafts(const std::vector<DecodeRow>& rows, std::size_t length);
  [[nodiscard]] bool prefill(const PassShares& shares, std::int32_t generating);
  void while_computing();
  [[nodiscard]] std::optional<double> run(const Pass& pass);

  const Parts parts_;
  const std::function<void()> meanwhile_;
  PassRunner runner_;
  PrefillBudget budget_;
  Ahead ahead_;
};

}  // namespace infernode
