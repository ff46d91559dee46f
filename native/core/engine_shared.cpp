// The engine's step where all sequences draw on one pool of cells: such a pass takes
// any rows, so those that generate ride along with the prompts, and the weights are
// read once for both. Cells are given to the oldest first.
#include <algorithm>

#include "engine.h"

namespace infernode {

// Those that generate get a cell each; the youngest give way until there are as many.
void Engine::take_cells() {
  std::int32_t wanted = scheduler_.least_rows();
  while (cache_.room(wanted) < wanted) {
    INFERNODE_CHECK(cache_.running() > 1, "a request alone has no room in all cells");
    set_aside(*scheduler_.first_to_leave());
    wanted = scheduler_.least_rows();
    if (wanted > 0) continue;
    choose_turn();  // nobody of this one is left
    wanted = scheduler_.least_rows();
  }
}

// Embeddings are asked of a whole pass, so their rows have one of their own.
bool Engine::shares_pass(const std::vector<DecodeRow>& rows) const {
  if (!limits_.unified || scheduler_.prompt_rows() == 0) return false;
  return std::ranges::none_of(rows,
                              [](const DecodeRow& row) { return row.request->params.embeds; });
}

// One pass of the rows that generate and as much of the prompts as there is time and
// room for.
void Engine::compute_shared(const std::vector<DecodeRow>& rows) {
  const auto decoding = static_cast<std::int32_t>(rows.size());
  const std::int32_t budget = budget_.rows(scheduler_.generates());
  const std::int32_t wanted = decoding + std::min(budget, scheduler_.prompt_rows());
  const std::vector<PassShare> shares =
      scheduler_.plan_shared(rows, cache_.room(wanted) - decoding);
  if (shares.empty()) return;
  std::vector<BatchRow> batch;
  std::vector<SampleRow> ready;
  std::vector<Request*> requests;
  for (const auto& [request, count] : shares) {
    requests.push_back(request);
    if (request->guesser != nullptr) request->guesser->rest();  // of an earlier step
    for (Position position = request->computed; position < request->computed + count; ++position)
      batch.push_back(
          {request->known[static_cast<std::size_t>(position)], request->sequence, position});
    if (request->gap() > count) continue;
    batch.back().wants_logits = true;
    ready.push_back({request, batch.size() - 1});
  }
  const double started = clock_();
  const DecodeStatus status = status_of([&] { return backend_->prefill(batch); });
  const double elapsed = clock_() - started;
  const auto all = static_cast<std::int32_t>(batch.size());
  const double of_prompts = elapsed * (all - decoding) / all;
  totals_.prefill_ms += of_prompts;
  totals_.decode_ms += elapsed - of_prompts;
  if (status != DecodeStatus::kOk) return pass_failed(status, requests);
  pass_succeeded();
  budget_.prefilled(all, elapsed);
  cache_.row_cost(budget_.row_ms());
  ++(decoding > 0 ? totals_.decode_passes : totals_.prefill_passes);
  totals_.decode_rows += decoding;
  totals_.prompt_tokens_computed += all - decoding;
  for (const auto& [request, count] : shares) request->computed += count;
  if (!ready.empty()) sample(ready);
}

}  // namespace infernode
