// Publishes the log-probabilities of prompts, from the rows of prefill passes (0062). Engine thread
// only.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/backend.h"
#include "core/sampling/row_workers.h"
#include "endings.h"
#include "pass.h"
#include "publisher.h"
#include "request.h"

namespace infernode {

class PromptScorer {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // All of them outlive this.
  struct Parts {
    Backend& backend;
    RowWorkers& workers;
    Endings& endings;
    Publisher& publisher;
  };
  PromptScorer(const Parts& parts, Clock clock) : parts_(parts), clock_(std::move(clock)) {}

  // Scores the prompts whose rows have just been computed. Returns the requests that failed in it,
  // which have ended and no longer exist.
  [[nodiscard]] std::vector<Request*> score(std::span<const ScoringRows> prompts);

  double ms() const { return ms_; }  // in score(), so far

 private:
  [[nodiscard]] std::optional<Failure> score(Request& request, std::span<const ScoringRow> rows);

  const Parts parts_;
  const Clock clock_;
  double ms_ = 0;
};

}  // namespace infernode
