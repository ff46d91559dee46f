#include "pass_runner.h"

#include <utility>

namespace infernode {

PassRunner::PassRunner(Backend& backend, KvCache& cache, Clock clock)
    : backend_(backend), cache_(cache), clock_(std::move(clock)) {}

PassRunner::Outcome PassRunner::run(const Pass& pass) {
  const double started = clock_();
  const DecodeStatus status = status_of([&] {
    return pass.one_row_each ? backend_.decode(pass.rows, pass.embeds)
                             : backend_.prefill(pass.rows);
  });
  roll_back_padding(pass, status);
  const Outcome outcome{status, clock_() - started};
  count(pass, outcome);
  return outcome;
}

void PassRunner::roll_back_padding(const Pass& pass, DecodeStatus status) {
  for (const BatchRow& row : pass.padding) {
    if (spoils(status)) {
      cache_.clear_padded(row.sequence);
    } else {
      cache_.roll_back(row.sequence, row.position);
    }
  }
}

// A pass of both kinds of rows has its time divided among them.
void PassRunner::count(const Pass& pass, const Outcome& outcome) {
  const auto rows = static_cast<double>(pass.rows.size());
  const double of_prompts = outcome.ms * pass.prompt_rows / rows;
  totals_.prefill_ms += of_prompts;
  totals_.decode_ms += outcome.ms - of_prompts;
  if (outcome.status != DecodeStatus::kOk) {
    ++totals_.failed_passes;
    return;
  }
  ++(pass.generating > 0 ? totals_.decode_passes : totals_.prefill_passes);
  totals_.decode_rows += pass.generating;
  totals_.padding_rows += static_cast<std::int64_t>(pass.padding.size());
  totals_.prompt_tokens_computed += pass.prompt_rows;
}

}  // namespace infernode
