#include "passes.h"

#include <algorithm>
#include <utility>

namespace infernode {

Passes::Passes(const Parts& parts, double inter_token_latency_ms, Clock clock,
               std::function<void()> meanwhile)
    : parts_(parts),
      meanwhile_(std::move(meanwhile)),
      runner_(parts.backend, parts.cache, std::move(clock), [this] { while_computing(); }),
      budget_(parts.backend.limits().prefill_capacity, inter_token_latency_ms,
              parts.backend.limits().facts.cheap_rows) {}

void Passes::compute(const std::vector<DecodeRow>& rows) {
  const std::int32_t budget = budget_.rows(parts_.scheduler.generates());
  if (const PassShares joint = parts_.planner.joint_pass(rows, budget); !joint.empty()) {
    static_cast<void>(prefill(joint, static_cast<std::int32_t>(rows.size())));
    return;
  }
  // With an isolated request in the decode pass, the prompts depend on whether that succeeds.
  const bool plans = parts_.planner.plans_ahead() && parts_.scheduler.isolated() == nullptr;
  ahead_ = {plans ? budget : 0, {}};
  bool computed = true;
  if (const std::size_t length = propose(rows); length > 0) {
    computed = verify_drafts(rows, length);
  } else if (!rows.empty()) {
    computed = decode(rows);
  }
  const Ahead ahead = std::exchange(ahead_, {});
  for (const PassShares& shares :
       computed&& ahead.passes ? *ahead.passes : parts_.planner.prompt_passes(budget)) {
    if (!prefill(shares, 0)) break;  // the plan no longer holds
  }
}

// While the device computes: the engine's own work, then the plan of the step's prompts, which does
// not depend on the tokens that this pass will choose.
void Passes::while_computing() {
  meanwhile_();
  if (ahead_.budget > 0 && !ahead_.passes)
    ahead_.passes = parts_.planner.prompt_passes(ahead_.budget);
}

// Computes a pass and returns its milliseconds; nothing where it failed: then its requests have
// been isolated, preempted or ended.
std::optional<double> Passes::run(const Pass& pass) {
  const auto [status, ms] = runner_.run(pass);
  if (status != DecodeStatus::kOk) {
    parts_.failures.failed(status, pass.requests);
    return std::nullopt;
  }
  parts_.failures.succeeded();
  return ms;
}

// False when the pass failed (see run()).
bool Passes::decode(const std::vector<DecodeRow>& rows) {
  const Pass pass = decode_pass(rows);
  const std::optional<double> ms = run(pass);
  if (!ms) return false;
  budget_.decoded(*ms);
  parts_.drafting.plain_pass(pass.requests.size(), *ms);
  parts_.outputs.decoded(pass.ready);
  return true;
}

// Has tokens drafted for the requests of these rows. Returns how many per request; 0: none, and
// the step has an ordinary decode pass.
std::size_t Passes::propose(const std::vector<DecodeRow>& rows) {
  std::vector<Request*> requests;
  for (const DecodeRow& row : rows) requests.push_back(row.request);
  if (!parts_.drafting.may_draft(requests)) return 0;
  return parts_.drafting.propose(requests, parts_.planner.most_drafted(requests.size()));
}

bool Passes::verify_drafts(const std::vector<DecodeRow>& rows, std::size_t length) {
  std::vector<DraftedRow> drafted;
  for (const DecodeRow& row : rows) {
    drafted.push_back({row.request, parts_.drafting.proposed(*row.request)});
  }
  const Pass pass = verification_pass(drafted);
  const std::optional<double> ms = run(pass);
  if (!ms) return false;
  parts_.drafting.drafted_pass(rows.size(), length + 1, *ms);
  parts_.outputs.verified(pass.ready);
  return true;
}

// Computes the next rows of some requests, and chooses the next token of those whose known tokens
// are all computed then.
bool Passes::prefill(const PassShares& shares, std::int32_t generating) {
  const Pass pass = prefill_pass(shares, generating);
  for (const Request* request : pass.requests)
    parts_.drafting.discard_drafts(*request);  // of an earlier step
  const std::optional<double> ms = run(pass);
  if (!ms) return false;
  budget_.prefilled(static_cast<std::int32_t>(pass.rows.size()), *ms);
  parts_.cache.row_cost(budget_.row_ms());
  parts_.drafting.row_cost(budget_.row_ms());
  for (const auto& [request, count] : shares) {
    request->progress.computed += count;
    parts_.cache.prefilled(*request);
  }
  const std::vector<Request*> ended = parts_.scorer.score(pass.scoring);
  std::vector<ReadyRow> ready = pass.ready;
  std::erase_if(ready, [&](const ReadyRow& row) {
    return std::ranges::find(ended, row.request) != ended.end();
  });
  if (!ready.empty()) parts_.outputs.sample(ready);
  return true;
}

}  // namespace infernode
