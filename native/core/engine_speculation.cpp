// The engine's step where a pass computes what requests are guessed to say next:
// drafts go in as rows of a prefill with logits at each, and every row's token is
// chosen as if its pass had been one of its own. The first that differs from the
// draft ends the request's share; rows behind it are forgotten.
#include <algorithm>
#include <utility>

#include "engine.h"

namespace infernode {

// Drafts for all rows of the step; the tokens per request to compute beyond the
// first, 0 for an ordinary pass.
std::size_t Engine::draft(const std::vector<DecodeRow>& rows) {
  if (!config_.speculates || !limits_.pads_decode || rows.size() > kMostSpeculating) return 0;
  if (rows.size() * (kMostDrafted + 1) > static_cast<std::size_t>(limits_.prefill_outputs))
    return 0;
  std::size_t room = kMostDrafted;
  if (limits_.unified && !rows.empty()) {
    const auto cells = cache_.room(static_cast<std::int32_t>(rows.size() * (kMostDrafted + 1)));
    room = static_cast<std::size_t>(cells) / rows.size() - 1;  // a cell for each is there
  }
  std::vector<const Guesser*> guessers;
  for (const DecodeRow& row : rows) {
    if (row.request == nullptr || row.request->params.embeds) return 0;
    Request& request = *row.request;
    if (request.guesser == nullptr) request.guesser = std::make_unique<Guesser>();
    const std::int32_t limit = request.params.max_tokens;
    if (limit > 0)
      room = std::min(room, static_cast<std::size_t>(limit - request.generated_tokens() - 1));
    room = std::min(room, static_cast<std::size_t>(limits_.context_length - request.computed - 2));
    request.guesser->drafted = request.guesser->drafter.draft(request.known, kMostDrafted);
    guessers.push_back(request.guesser.get());
  }
  return std::min(room, speculation_.length(guessers));
}

void Engine::decode_drafted(const std::vector<DecodeRow>& rows, std::size_t length) {
  std::vector<BatchRow> batch;
  std::vector<Request*> requests;
  for (const DecodeRow& row : rows) {
    Request& request = *row.request;
    requests.push_back(&request);
    std::vector<TokenId>& drafted = request.guesser->drafted;
    drafted.resize(length, request.known.back());  // who has no guess computes one for nothing
    batch.push_back({row.row.token, row.row.sequence, row.row.position, true});
    for (std::size_t i = 0; i < length; ++i) {
      const auto position = row.row.position + 1 + static_cast<Position>(i);
      batch.push_back({drafted[i], row.row.sequence, position, true});
    }
  }
  const double started = clock_();
  const DecodeStatus status = backend_->prefill(batch);
  const double elapsed = clock_() - started;
  totals_.decode_ms += elapsed;
  if (status != DecodeStatus::kOk) return pass_failed(status, requests);
  failures_in_a_row_ = 0;
  speculation_.measured_drafted(requests.size(), length + 1, elapsed);
  ++totals_.decode_passes;
  totals_.decode_rows += static_cast<std::int64_t>(requests.size());
  totals_.drafted_tokens += static_cast<std::int64_t>(length * requests.size());
  const double sampling = clock_();
  for (std::size_t i = 0; i < requests.size(); ++i) keep_hits(*requests[i], i * (length + 1));
  totals_.sample_ms += clock_() - sampling;
}

// Tokens of one request out of the rows from `first` on, as far as its draft
// comes true.
void Engine::keep_hits(Request& request, std::size_t first) {
  const std::vector<TokenId> drafted = request.guesser->drafted;
  for (std::size_t i = 0; i <= drafted.size(); ++i) {
    ++request.computed;
    TokenChoice choice = chooser_.choose(request, backend_->logits(first + i), scratch_.front());
    const bool hit = i < drafted.size() && choice.token == drafted[i];
    if (i < drafted.size()) request.guesser->judge(hit);
    if (!apply(request, std::move(choice))) return;  // it has ended, and is gone
    if (!hit) break;
    ++totals_.accepted_tokens;
  }
  backend_->truncate(request.sequence, request.computed);
}

}  // namespace infernode
