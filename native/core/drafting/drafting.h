// Guessing ahead: what requests are likely to say next, looked up in their own texts or asked
// of a draft model, and what became of the guesses. Whether that pays is Speculation's to say;
// whatever the draft model does, requests go on. A step asks for proposals, has them computed
// and judges each token that a request then gets.
// Engine thread only, interrupt() apart.
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
  bool guesses = false;
  // Tokens the draft model guesses in each step, whatever that costs; 0: as many as pay.
  std::size_t draft_length = 0;
  double draft_price = 1;  // rows of the draft model beside the model's own, until measured
};

struct DraftingStats {
  std::int64_t drafted_tokens = 0;         // that were computed
  std::int64_t accepted_tokens = 0;        // of those: the request said them
  std::int64_t model_drafted_tokens = 0;   // by the draft model, and
  std::int64_t model_accepted_tokens = 0;  // of those
  std::int64_t draft_passes = 0;
  std::int64_t draft_failures = 0;
  double draft_ms = 0;
};

class Drafting {
 public:
  using Clock = DraftModel::Clock;

  // Without `model`, guesses are looked up in the texts only.
  Drafting(const BackendLimits& limits, DraftingConfig config, std::unique_ptr<Backend> model,
           Clock clock);

  // Whether guesses may be computed beside the rows of a decode pass; a row of no request,
  // which pads the pass, is nullptr.
  [[nodiscard]] bool may_draft(std::span<Request* const> rows) const;

  // Guesses for each of these requests, who generate. Returns how many tokens of each are to
  // be computed in one pass with its next one, `most` at most; 0: better none.
  std::size_t propose(std::span<Request* const> requests, std::size_t most);
  // What was proposed for this request.
  std::span<const TokenId> proposed(const Request& request) const;

  // The request's token at `index` of the step, beside what was guessed.
  void judge(const Request& request, std::size_t index, TokenId token);
  // A guess was right, and the request goes on.
  void accepted(const Request& request);
  // The request has its tokens of this step.
  void rest(const Request& request);
  // The request has ended.
  void leave(const Request& request);

  // What passes took: of one row for each of so many requests; of `rows` for each.
  void plain_pass(std::size_t requests, double ms) { speculation_.measured_plain(requests, ms); }
  void drafted_pass(std::size_t requests, std::size_t rows, double ms);
  // Milliseconds of a row of the model's own prompts; 0: not known.
  void row_cost(double ms) { row_ms_ = ms; }

  DraftingStats stats() const;
  // Proves that the draft model's sequences hold what is thought. Throws BrokenInvariant.
  void check() const;
  // Makes a running pass of the draft model end. Any thread may call.
  void interrupt();

 private:
  Guesser* find(const Request& request);
  Guesser& guesser_of(const Request& request) { return guessers_.at(request.spec.id); }
  const Guesser& guesser_of(const Request& request) const { return guessers_.at(request.spec.id); }
  std::size_t look_up(std::span<Request* const> requests, std::size_t most);
  [[nodiscard]] std::optional<DraftCost> cost_of_model(std::span<Request* const> requests) const;
  double model_reading_ms(std::size_t tokens) const;
  [[nodiscard]] bool draft_by_model(std::span<Request* const> requests, std::size_t length);
  std::size_t unjudged(const Request& request) const;
  void ask_model(std::span<Request* const> requests, const DraftCost& cost);
  void model_failed(std::span<Guesser* const> guessers);

  const BackendLimits limits_;
  const DraftingConfig config_;
  const Clock clock_;
  Speculation speculation_;
  std::unique_ptr<DraftModel> model_;  // may be absent
  std::unordered_map<RequestId, Guesser> guessers_;
  double row_ms_ = 0;
  std::int32_t failures_in_a_row_ = 0;
  DraftingStats totals_;
};

}  // namespace infernode
