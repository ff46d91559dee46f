#include "pass_runner.h"

#include <optional>
#include <utility>

namespace infernode {

PassRunner::PassRunner(Backend& backend, KvCache& cache, Clock clock,
                       std::function<void()> meanwhile)
    : backend_(backend),
      cache_(cache),
      clock_(std::move(clock)),
      meanwhile_(std::move(meanwhile)) {}

PassRunner::Outcome PassRunner::run(const Pass& pass) {
  const double started = clock_();
  std::optional<double> submitted_ms;
  const DecodeStatus status = compute(backend_, {pass.rows, pass.one_row_each, pass.embeds}, [&] {
    submitted_ms = clock_() - started;
    meanwhile_();
  });
  if (status != DecodeStatus::kLost) roll_back_padding(pass, status);
  const Outcome outcome{status, clock_() - started};
  totals_.submit_ms += submitted_ms.value_or(outcome.ms);
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

// The time of a pass with decode rows and prompt rows is divided among them.
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
