#include "prompt_scorer.h"

#include <algorithm>
#include <cmath>
#include <new>

namespace infernode {

std::vector<Request*> PromptScorer::score(std::span<const ScoringRows> prompts) {
  if (prompts.empty()) return {};
  const double started = clock_();
  std::vector<Request*> ended;
  for (const auto& [request, rows] : prompts) {
    if (std::optional<Failure> failure = score(*request, rows)) {
      parts_.endings.end(*request, FinishReason::kError, std::move(failure));
      ended.push_back(request);
    }
  }
  ms_ += clock_() - started;
  return ended;
}

std::optional<Failure> PromptScorer::score(Request& request, std::span<const ScoringRow> rows) {
  try {
    std::vector<std::span<const float>> logits;
    for (const ScoringRow& row : rows) logits.push_back(parts_.backend.logits(row.row));
    std::vector<PromptLogProb> scored(rows.size());
    const std::int32_t top = request.spec.params.prompt_log_probs;
    parts_.workers.run(rows.size(), [&](std::size_t index, SamplerScratch& scratch) {
      scored[index] = prompt_log_prob_of(logits[index], rows[index].next, top, scratch);
    });
    if (std::ranges::any_of(
            scored, [](const PromptLogProb& one) { return std::isnan(one.probs.chosen.log_prob); }))
      return unusable_logits();
    parts_.publisher.prompt_log_probs(request.spec.id, std::move(scored));
    request.progress.scored += static_cast<Position>(rows.size());
    return std::nullopt;
  } catch (const std::bad_alloc&) {
    return Failure{
        ErrorCode::kOutOfMemory,
        "There was no memory for the log-probabilities of this prompt; other requests are not "
        "affected."};
  }
}

}  // namespace infernode
