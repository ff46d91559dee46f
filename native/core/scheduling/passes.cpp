#include "passes.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <stdexcept>
#include <utility>

#include "core/device_lost.h"

namespace infernode {

namespace {

// Rows that make waking another sampling thread worth it.
constexpr std::size_t kRowsPerSampler = 8;
// Passes that may fail one after another before the device counts as lost.
constexpr std::int32_t kFailuresUntilBroken = 8;
// Passes that the device may fail one after another: memory may be short for a moment, but
// what fails again, with everything computed anew and a request alone, is not the pass.
constexpr std::int32_t kDeviceFailuresUntilBroken = 2;

Failure lost_device(DecodeStatus status, const std::string& where) {
  if (status == DecodeStatus::kNoMemory) {
    return {ErrorCode::kOutOfMemory,
            "The engine stopped: " + where +
                " had too little memory for two passes one after another. Close it and create "
                "one with fewer slots, a shorter contextLength or a smaller prefillChunk, or put "
                "fewer layers on the device."};
  }
  const std::string what = status == DecodeStatus::kLost
                               ? "llama.cpp broke off a pass on " + where + ", its log says why"
                               : where + " failed to compute two passes one after another";
  return {ErrorCode::kDeviceFailed,
          "The engine stopped: " + what +
              ". End the process and start another one: a device's driver may not recover "
              "within it."};
}

}  // namespace

Passes::Passes(const Parts& parts, Config config, Clock clock, std::function<bool()> interrupted)
    : parts_(parts),
      limits_(parts.backend.limits()),
      clock_(std::move(clock)),
      interrupted_(std::move(interrupted)),
      runner_(parts.backend, parts.cache, clock_),
      budget_(limits_.prefill_capacity, config.inter_token_latency_ms, limits_.facts.cheap_rows),
      pool_(config.sampler_helpers),
      scratch_(pool_.workers()) {}

void Passes::compute(const std::vector<DecodeRow>& rows) {
  if (const PassShares joint = parts_.planner.joint_pass(rows, prompt_budget()); !joint.empty()) {
    static_cast<void>(read(joint, static_cast<std::int32_t>(rows.size())));
    return;
  }
  if (const std::size_t length = propose(rows); length > 0) {
    decode_guessed(rows, length);
  } else if (!rows.empty()) {
    decode(rows);
  }
  read_prompts();
}

// Computes a pass: the milliseconds it took, or nothing where it failed, which then has cost
// its requests what it must.
std::optional<double> Passes::run(const Pass& pass) {
  const auto [status, ms] = runner_.run(pass);
  if (status != DecodeStatus::kOk) {
    failed(status, pass.requests);
    return std::nullopt;
  }
  failures_in_a_row_ = 0;
  device_failures_in_a_row_ = 0;
  parts_.seating.pass_succeeded();
  return ms;
}

void Passes::decode(const std::vector<DecodeRow>& rows) {
  const Pass pass = decode_pass(rows);
  const std::optional<double> ms = run(pass);
  if (!ms) return;
  budget_.decoded(*ms);
  parts_.drafting.plain_pass(pass.requests.size(), *ms);
  std::vector<ReadyRow> sampled;
  for (const ReadyRow& ready : pass.ready) {
    ++ready.request->progress.computed;
    if (ready.request->spec.params.embeds) {
      parts_.endings.embedded(*ready.request, parts_.backend.embedding(ready.row));
    } else {
      sampled.push_back(ready);
    }
  }
  sample(sampled);
}

// Guesses for all rows of the step: the tokens of each request to compute beyond its next
// one, 0 for an ordinary pass.
std::size_t Passes::propose(const std::vector<DecodeRow>& rows) {
  std::vector<Request*> requests;
  for (const DecodeRow& row : rows) requests.push_back(row.request);
  if (!parts_.drafting.may_draft(requests)) return 0;
  return parts_.drafting.propose(requests, parts_.planner.most_guesses(requests.size()));
}

// Every row's token is chosen as if its pass had been one of its own. The first that differs
// from the guess ends the request's share; rows behind it are forgotten.
void Passes::decode_guessed(const std::vector<DecodeRow>& rows, std::size_t length) {
  std::vector<GuessedRow> guessed;
  for (const DecodeRow& row : rows) {
    guessed.push_back({row.request, parts_.drafting.proposed(*row.request)});
  }
  const Pass pass = guessing_pass(guessed);
  const std::optional<double> ms = run(pass);
  if (!ms) return;
  parts_.drafting.drafted_pass(rows.size(), length + 1, *ms);
  const double started = clock_();
  for (const ReadyRow& ready : pass.ready) keep_hits(*ready.request, ready.row);
  sample_ms_ += clock_() - started;
}

// Tokens of one request out of the rows from `first` on, as far as its guesses come true.
void Passes::keep_hits(Request& request, std::size_t first) {
  const std::span<const TokenId> guesses = parts_.drafting.proposed(request);
  for (std::size_t i = 0; i <= guesses.size(); ++i) {
    ++request.progress.computed;
    TokenChoice choice =
        parts_.chooser.choose(request, parts_.backend.logits(first + i), scratch_.front());
    const bool hit = i < guesses.size() && choice.token == guesses[i];
    parts_.drafting.judge(request, i, choice.token);
    if (!parts_.endings.apply(request, std::move(choice))) return;  // it has ended, and is gone
    if (!hit) break;
    parts_.drafting.accepted(request);
  }
  parts_.drafting.rest(request);
  parts_.cache.roll_back(request.progress.sequence, request.progress.computed);
}

// Of requests whose known tokens are all computed.
void Passes::sample(const std::vector<ReadyRow>& rows) {
  const double started = clock_();
  std::vector<std::span<float>> logits;
  for (const ReadyRow& row : rows) logits.push_back(parts_.backend.logits(row.row));
  std::vector<TokenChoice> chosen(rows.size());
  pool_.run(
      rows.size(),
      [&](std::size_t index, std::size_t worker) {
        chosen[index] =
            parts_.chooser.choose(*rows[index].request, logits[index], scratch_[worker]);
      },
      kRowsPerSampler);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Request& request = *rows[i].request;
    parts_.drafting.judge(request, 0, chosen[i].token);
    parts_.drafting.rest(request);
    static_cast<void>(
        parts_.endings.apply(request, std::move(chosen[i])));  // the last thing done for it
  }
  sample_ms_ += clock_() - started;
}

// Rows of prompts that the step may compute.
std::int32_t Passes::prompt_budget() const { return budget_.rows(parts_.scheduler.generates()); }

void Passes::read_prompts() {
  for (const PassShares& shares : parts_.planner.prompt_passes(prompt_budget())) {
    if (!read(shares, 0)) break;  // the plan no longer holds
  }
}

// Computes the next rows of some requests; of those that are complete then, the next token is
// chosen. False when the pass failed.
bool Passes::read(const PassShares& shares, std::int32_t generating) {
  const Pass pass = reading_pass(shares, generating);
  for (const Request* request : pass.requests)
    parts_.drafting.rest(*request);  // of an earlier step
  const std::optional<double> ms = run(pass);
  if (!ms) return false;
  budget_.prefilled(static_cast<std::int32_t>(pass.rows.size()), *ms);
  parts_.cache.row_cost(budget_.row_ms());
  parts_.drafting.row_cost(budget_.row_ms());
  for (const auto& [request, count] : shares) {
    request->progress.computed += count;
    parts_.cache.prefilled(*request);
  }
  const std::vector<Request*> ended = tell_prompts(pass);
  std::vector<ReadyRow> ready = pass.ready;
  std::erase_if(ready, [&](const ReadyRow& row) {
    return std::ranges::find(ended, row.request) != ended.end();
  });
  if (!ready.empty()) sample(ready);
  return true;
}

// Tells how likely prompts were, row by row. Returns who has ended by it, and is gone.
std::vector<Request*> Passes::tell_prompts(const Pass& pass) {
  const double started = clock_();
  std::vector<Request*> ended;
  for (const auto& [request, rows] : pass.telling) {
    if (std::optional<Failure> failure = tell_prompt(*request, rows)) {
      parts_.endings.end(*request, FinishReason::kError, std::move(failure));
      ended.push_back(request);
    }
  }
  if (!pass.telling.empty()) sample_ms_ += clock_() - started;
  return ended;
}

std::optional<Failure> Passes::tell_prompt(Request& request, std::span<const TellingRow> rows) {
  try {
    std::vector<std::span<const float>> logits;
    for (const TellingRow& row : rows) logits.push_back(parts_.backend.logits(row.row));
    std::vector<PromptLogProb> told(rows.size());
    const std::int32_t top = request.spec.params.prompt_log_probs;
    pool_.run(
        rows.size(),
        [&](std::size_t index, std::size_t worker) {
          told[index] = prompt_log_prob_of(logits[index], rows[index].next, top, scratch_[worker]);
        },
        kRowsPerSampler);
    if (std::ranges::any_of(
            told, [](const PromptLogProb& one) { return std::isnan(one.probs.chosen.log_prob); }))
      return unusable_logits();
    parts_.publisher.prompt_log_probs(request.spec.id, std::move(told));
    request.progress.told += static_cast<Position>(rows.size());
    return std::nullopt;
  } catch (const std::bad_alloc&) {
    return Failure{ErrorCode::kOutOfMemory,
                   "There was no memory to tell how likely this prompt's tokens are; others are "
                   "not affected."};
  }
}

// Nobody's fault: all that took part are computed anew, each alone, and the device is lost
// where it fails again before anything succeeds.
void Passes::device_failed(DecodeStatus status, std::span<Request* const> requests) {
  const bool gone = status == DecodeStatus::kLost;
  if (gone || ++device_failures_in_a_row_ >= kDeviceFailuresUntilBroken)
    throw DeviceLost(lost_device(status, limits_.facts.where));
  for (Request* request : requests) {
    request->progress.isolated = true;
    parts_.cache.clear(*request);
  }
}

// A failing pass costs only the requests it must: alone it ends its one
// request; of several, each is computed alone next, and who fails again ends.
// Where a pass finds no room, one after another gives way until it does.
void Passes::failed(DecodeStatus status, std::span<Request* const> requests) {
  if (interrupted_()) return;  // the engine ends everything next
  if (status == DecodeStatus::kNoRoom && parts_.cache.running() > 1)
    return parts_.seating.preempt_one();
  if (spoils(status) && status != DecodeStatus::kFailed) return device_failed(status, requests);
  if (++failures_in_a_row_ >= kFailuresUntilBroken) {
    throw std::runtime_error("eight passes failed one after another");
  }
  if (requests.size() == 1) {
    parts_.cache.clear(*requests.front());
    return parts_.endings.end(
        *requests.front(), FinishReason::kError,
        Failure{ErrorCode::kDecodeFailed,
                "The model failed to compute this request's tokens; others are not affected."});
  }
  for (Request* request : requests) {
    request->progress.isolated = true;
    if (status == DecodeStatus::kFailed) parts_.cache.clear(*request);
  }
}

}  // namespace infernode
