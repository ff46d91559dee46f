// Speculative decoding: drafts the next tokens of requests, by prompt lookup or with a draft model,
// and compares them with the tokens that the requests get. Speculation decides whether a draft
// pays. A failing draft model costs requests their drafts and nothing else. Engine thread only,
// except interrupt().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/backend.h"
#include "core/scheduling/request.h"
#include "draft_model.h"
#include "speculation.h"

namespace infernode {

struct DraftingConfig {
  bool enabled = false;
  // Tokens that the draft model drafts in each step, whatever that costs; 0: as many as pay.
  std::size_t draft_length = 0;
  double draft_price = 1;  // assumed cost of a draft row relative to a target row, until measured
};

struct DraftingStats {
  std::int64_t drafted_tokens = 0;         // in passes of the target model
  std::int64_t accepted_tokens = 0;        // of drafted_tokens
  std::int64_t model_drafted_tokens = 0;   // by the draft model
  std::int64_t model_accepted_tokens = 0;  // of model_drafted_tokens
  std::int64_t draft_passes = 0;
  std::int64_t draft_failures = 0;
  double draft_ms = 0;
};

class Drafting {
 public:
  using Clock = DraftModel::Clock;

  // Without `model`, drafts come from prompt lookup only.
  // `meanwhile`: of DraftModel.
  Drafting(const BackendLimits& limits, DraftingConfig config, std::unique_ptr<Backend> model,
           Clock clock, std::function<void()> meanwhile);

  // Whether the decode pass of these requests may have draft tokens; nullptr stands for a row that
  // is padding.
  [[nodiscard]] bool may_draft(std::span<Request* const> rows) const;

  // Drafts tokens for each of these requests. Returns how many per request to compute in one pass
  // with its next row, at most `most`; 0: an ordinary pass is better.
  std::size_t propose(std::span<Request* const> requests, std::size_t most);
  // The tokens drafted for this request.
  std::span<const TokenId> proposed(const Request& request) const;

  // Compares the request's token at `index` of the step with the drafts.
  void verify(const Request& request, std::size_t index, TokenId token);
  // Counts an accepted draft token.
  void accepted(const Request& request);
  // Drops the drafts of this step.
  void discard_drafts(const Request& request);
  // Drops everything of a request that has ended.
  void release(const Request& request);

  // The milliseconds of a pass with one row for each of so many requests; with `rows` for each.
  void plain_pass(std::size_t requests, double ms) { speculation_.measured_plain(requests, ms); }
  void drafted_pass(std::size_t requests, std::size_t rows, double ms);
  // Milliseconds of a prompt row of the target model; 0: not known.
  void row_cost(double ms) { row_ms_ = ms; }

  DraftingStats stats() const;
  // Checks the positions of the draft model's sequences. Throws BrokenInvariant.
  void check() const;
  // Ends a running pass of the draft model early. Any thread may call.
  void interrupt();

 private:
  DraftState* find(const Request& request);
  DraftState& state_of(const Request& request) { return states_.at(request.spec.id); }
  const DraftState& state_of(const Request& request) const { return states_.at(request.spec.id); }
  std::size_t look_up(std::span<Request* const> requests, std::size_t most);
  [[nodiscard]] std::optional<DraftCost> cost_of_model(std::span<Request* const> requests) const;
  double model_reading_ms(std::size_t tokens) const;
  [[nodiscard]] bool draft_by_model(std::span<Request* const> requests, std::size_t length);
  std::size_t unverified(const Request& request) const;
  void probe_model(std::span<Request* const> requests, const DraftCost& cost);
  void model_failed(std::span<DraftState* const> states);

  const BackendLimits limits_;
  const DraftingConfig config_;
  const Clock clock_;
  Speculation speculation_;
  std::unique_ptr<DraftModel> model_;  // may be absent
  std::unordered_map<RequestId, DraftState> states_;
  double row_ms_ = 0;
  std::int32_t failures_in_a_row_ = 0;
  DraftingStats totals_;
};

}  // namespace infernode
