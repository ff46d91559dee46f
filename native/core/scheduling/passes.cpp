#include "passes.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <stdexcept>
#include <utility>

#include "core/device_lost.h"

namespace infernode {

namespace {

// Rows that justify waking another sampling thread.
constexpr std::size_t kRowsPerSampler = 8;
// Consecutive failing passes after which the engine stops.
constexpr std::int32_t kFailuresUntilBroken = 8;
// Consecutive failures of the device after which it counts as lost: memory may be short for a
// moment, but if a request alone fails as well, the cause is not the pass.
constexpr std::int32_t kDeviceFailuresUntilBroken = 2;

Failure lost_device(DecodeStatus status, const std::string& where) {
  if (status == DecodeStatus::kNoMemory) {
    return {ErrorCode::kOutOfMemory,
            "The engine stopped: " + where +
                " had too little memory for two passes one after another. Close it and create "
                "one with fewer slots, a shorter contextLength or a smaller prefillChunk, or put "
                "fewer layers on the device."};
  }
  const std::string what =
      status == DecodeStatus::kLost
          ? "a pass on " + where + " was broken off; the log contains the reason"
          : where + " failed to compute two passes one after another";
  return {ErrorCode::kDeviceFailed,
          "The engine stopped: " + what +
              ". End the process and start another one: a device's driver may not recover "
              "within it."};
}

}  // namespace

Passes::Passes(const Parts& parts, Config config, Clock clock, Hooks hooks)
    : parts_(parts),
      limits_(parts.backend.limits()),
      clock_(std::move(clock)),
      hooks_(std::move(hooks)),
      runner_(parts.backend, parts.cache, clock_, [this] { while_computing(); }),
      budget_(limits_.prefill_capacity, config.inter_token_latency_ms, limits_.facts.cheap_rows),
      samplers_(config.sampler_helpers),
      scratch_(samplers_.workers()) {}

void Passes::compute(const std::vector<DecodeRow>& rows) {
  const std::int32_t budget = budget_.rows(parts_.scheduler.generates());
  if (const PassShares joint = parts_.planner.joint_pass(rows, budget); !joint.empty()) {
    static_cast<void>(read(joint, static_cast<std::int32_t>(rows.size())));
    return;
  }
  // With an isolated request in the decode pass, the prompts depend on whether that succeeds.
  const bool plans = parts_.planner.plans_ahead() && parts_.scheduler.isolated() == nullptr;
  ahead_ = {plans ? budget : 0, {}};
  bool computed = true;
  if (const std::size_t length = propose(rows); length > 0) {
    computed = decode_guessed(rows, length);
  } else if (!rows.empty()) {
    computed = decode(rows);
  }
  const Ahead ahead = std::exchange(ahead_, {});
  read_prompts(computed && ahead.passes ? *ahead.passes : parts_.planner.prompt_passes(budget));
}

// While the device computes: the engine's own work, then the plan of the step's prompts, which does
// not depend on the tokens that this pass will choose.
void Passes::while_computing() {
  hooks_.meanwhile();
  if (ahead_.budget > 0 && !ahead_.passes)
    ahead_.passes = parts_.planner.prompt_passes(ahead_.budget);
}

// Computes a pass and returns its milliseconds; nothing where it failed: then its requests have
// been isolated, preempted or ended.
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

bool Passes::decode(const std::vector<DecodeRow>& rows) {
  const Pass pass = decode_pass(rows);
  const std::optional<double> ms = run(pass);
  if (!ms) return false;
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
  return true;
}

// Has tokens guessed for the requests of these rows. Returns how many per request; 0: none, and
// the step has an ordinary decode pass.
std::size_t Passes::propose(const std::vector<DecodeRow>& rows) {
  std::vector<Request*> requests;
  for (const DecodeRow& row : rows) requests.push_back(row.request);
  if (!parts_.drafting.may_draft(requests)) return 0;
  return parts_.drafting.propose(requests, parts_.planner.most_guesses(requests.size()));
}

// Each row's token is chosen as in an ordinary pass. A request keeps its tokens up to the first
// that differs from the guess; the rows after it are truncated. False when the pass failed.
bool Passes::decode_guessed(const std::vector<DecodeRow>& rows, std::size_t length) {
  std::vector<GuessedRow> guessed;
  for (const DecodeRow& row : rows) {
    guessed.push_back({row.request, parts_.drafting.proposed(*row.request)});
  }
  const Pass pass = guessing_pass(guessed);
  const std::optional<double> ms = run(pass);
  if (!ms) return false;
  parts_.drafting.drafted_pass(rows.size(), length + 1, *ms);
  const double started = clock_();
  for (const ReadyRow& ready : pass.ready) keep_hits(*ready.request, ready.row);
  sample_ms_ += clock_() - started;
  return true;
}

// Gives one request its tokens from the rows from `first` on, up to its first wrong guess.
void Passes::keep_hits(Request& request, std::size_t first) {
  const std::span<const TokenId> guesses = parts_.drafting.proposed(request);
  for (std::size_t i = 0; i <= guesses.size(); ++i) {
    ++request.progress.computed;
    TokenChoice choice =
        parts_.chooser.choose(request, parts_.backend.logits(first + i), scratch_.front());
    const bool hit = i < guesses.size() && choice.token == guesses[i];
    parts_.drafting.judge(request, i, choice.token);
    if (!parts_.endings.apply(request, std::move(choice)))
      return;  // the request has ended and no longer exists
    if (!hit) break;
    parts_.drafting.accepted(request);
  }
  parts_.drafting.rest(request);
  parts_.cache.roll_back(request.progress.sequence, request.progress.computed);
}

// Chooses the next tokens of requests whose known tokens are all computed.
void Passes::sample(const std::vector<ReadyRow>& rows) {
  const double started = clock_();
  std::vector<std::span<float>> logits;
  for (const ReadyRow& row : rows) logits.push_back(parts_.backend.logits(row.row));
  std::vector<TokenChoice> chosen(rows.size());
  samplers_.run(
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
    static_cast<void>(parts_.endings.apply(request, std::move(chosen[i])));  // it may have ended
  }
  sample_ms_ += clock_() - started;
}

void Passes::read_prompts(const std::vector<PassShares>& passes) {
  for (const PassShares& shares : passes) {
    if (!read(shares, 0)) break;  // the plan no longer holds
  }
}

// Computes the next rows of some requests, and chooses the next token of those whose known tokens
// are all computed then. False when the pass failed.
bool Passes::read(const PassShares& shares, std::int32_t generating) {
  const Pass pass = reading_pass(shares, generating);
  for (const Request* request : pass.requests)
    parts_.drafting.rest(*request);  // drops guesses of an earlier step
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

// Publishes the log-probabilities of prompts. Returns the requests that failed in it, which no
// longer exist.
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
    samplers_.run(
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
    return Failure{
        ErrorCode::kOutOfMemory,
        "There was no memory for the log-probabilities of this prompt; other requests are not "
        "affected."};
  }
}

// No request's fault: all requests of the pass are computed again, each alone. The device counts as
// lost if it fails again before a pass succeeds.
void Passes::device_failed(DecodeStatus status, std::span<Request* const> requests) {
  const bool gone = status == DecodeStatus::kLost;
  if (gone || ++device_failures_in_a_row_ >= kDeviceFailuresUntilBroken)
    throw DeviceLost(lost_device(status, limits_.facts.where));
  for (Request* request : requests) {
    request->progress.isolated = true;
    parts_.cache.clear(*request);
  }
}

// A failing pass ends as few requests as possible: its only request ends; of several, each is
// computed alone next, and those that fail again end. If a pass finds no free cells, requests are
// preempted one by one until it does.
void Passes::failed(DecodeStatus status, std::span<Request* const> requests) {
  if (hooks_.interrupted()) return;  // the engine ends everything next
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
