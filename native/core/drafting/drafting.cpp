#include "drafting.h"

#include <algorithm>
#include <array>
#include <utility>

namespace infernode {

namespace {

// The cost of reading is spread over so many tokens: a draft may not stay useful for longer.
constexpr std::int32_t kTokensThatPayReading = 64;
constexpr std::size_t kLeastProbed = 8;  // tokens that justify a pass of the draft model
constexpr std::int32_t kFailuresUntilUnused = 8;

}  // namespace

Drafting::Drafting(const BackendLimits& limits, DraftingConfig config,
                   std::unique_ptr<Backend> model, Clock clock, std::function<void()> meanwhile)
    : limits_(limits),
      config_(config),
      clock_(std::move(clock)),
      speculation_(config.draft_length),
      model_(model ? std::make_unique<DraftModel>(std::move(model), clock_, std::move(meanwhile))
                   : nullptr) {}

bool Drafting::may_draft(std::span<Request* const> rows) const {
  if (!config_.enabled || !limits_.rolls_back) return false;
  if (rows.empty() || rows.size() > kMostSpeculating) return false;
  const auto outputs = static_cast<std::size_t>(limits_.prefill_outputs);
  return rows.size() * (kMostDrafted + 1) <= outputs &&
         std::ranges::none_of(rows, [](const Request* request) {
           return request == nullptr || request->spec.params.embeds;
         });
}

std::size_t Drafting::propose(std::span<Request* const> requests, std::size_t most) {
  most = look_up(requests, most);
  std::vector<const DraftState*> states;
  for (const Request* request : requests) states.push_back(&state_of(*request));
  const std::optional<DraftCost> cost = cost_of_model(requests);
  const DraftPlan plan = speculation_.plan(states, cost);
  std::size_t length = std::min(most, plan.length);
  if (plan.model) length = std::min(length, model_->most());
  if (length == 0 && cost) probe_model(requests, *cost);
  if (length > 0 && plan.model && !draft_by_model(requests, length)) return 0;
  for (const Request* request : requests) {
    DraftState& state = state_of(*request);
    state.drafted = state.by_model.tokens.empty() ? state.by_lookup.tokens : state.by_model.tokens;
    // Every request of the pass has equally many rows: shorter drafts are filled up.
    state.drafted.resize(length, request->progress.known.back());
  }
  return length;
}

// Drafts by prompt lookup. Returns how many tokens of each request may be drafted: `most`, or the
// tokens that it may still generate.
std::size_t Drafting::look_up(std::span<Request* const> requests, std::size_t most) {
  most = std::min(most, kMostDrafted);
  for (const Request* request : requests) {
    const std::int32_t limit = request->spec.params.max_tokens;
    if (limit > 0)
      most = std::min(most, static_cast<std::size_t>(limit - request->generated_tokens() - 1));
    most = std::min(
        most, static_cast<std::size_t>(limits_.context_length - request->progress.computed - 2));
    DraftState& state = states_[request->spec.id];
    if (state.verified == 0) state.by_model.rates[0] = speculation_.model_rate();
    Lookup found = state.drafter.draft(request->progress.known, kMostDrafted);
    state.by_lookup.renew(std::move(found.tokens), found.matched);
    state.by_model.renew({});
  }
  return most;
}

std::span<const TokenId> Drafting::proposed(const Request& request) const {
  return state_of(request).drafted;
}

// The cost of the draft model for these requests; nothing where it must not be used.
std::optional<DraftCost> Drafting::cost_of_model(std::span<Request* const> requests) const {
  if (model_ == nullptr || model_->lost() || failures_in_a_row_ >= kFailuresUntilUnused)
    return std::nullopt;
  const double plain = speculation_.plain_ms(requests.size());
  const double pass = model_->pass_ms(requests.size());
  DraftCost cost{pass > 0 ? pass : config_.draft_price * plain, 0};
  bool any = false;
  for (const Request* request : requests) {
    if (state_of(*request).model_failed) continue;
    any = true;
    // An accepted draft leaves two tokens to read: no extra cost.
    const std::size_t lag = model_->lag({request->spec.id, request->progress.known});
    if (lag <= 2) continue;
    std::int32_t to_come = kTokensThatPayReading;
    const std::int32_t limit = request->spec.params.max_tokens;
    if (limit > 0) to_come = std::clamp(limit - request->generated_tokens(), 1, to_come);
    cost.reading_ms += model_reading_ms(lag) / to_come;
  }
  return any ? std::optional(cost) : std::nullopt;
}

double Drafting::model_reading_ms(std::size_t tokens) const {
  double row = model_->row_ms();
  if (row <= 0) {
    const double own = row_ms_ > 0 ? row_ms_ : speculation_.plain_ms(1);
    row = config_.draft_price * own;
  }
  return row * static_cast<double>(tokens);
}

// Has the draft model draft for the requests for which it is better than prompt lookup. False: it
// failed, and is not used for them any more.
bool Drafting::draft_by_model(std::span<Request* const> requests, std::size_t length) {
  std::vector<DraftRequest> readers;
  std::vector<DraftState*> states;
  for (const Request* request : requests) {
    DraftState& state = state_of(*request);
    if (!state.model_is_better(length)) continue;
    readers.push_back({request->spec.id, request->progress.known});
    states.push_back(&state);
  }
  if (readers.empty()) return true;
  const double started = clock_();
  std::vector<std::vector<TokenId>> drafts = model_->draft(readers, length);
  totals_.draft_ms += clock_() - started;
  if (drafts.empty()) {
    model_failed(states);
    return false;
  }
  failures_in_a_row_ = 0;
  for (std::size_t i = 0; i < drafts.size(); ++i) states[i]->by_model.renew(std::move(drafts[i]));
  totals_.model_drafted_tokens += static_cast<std::int64_t>(length * drafts.size());
  return true;
}

// Generated tokens that the draft model was not compared with yet.
std::size_t Drafting::unverified(const Request& request) const {
  const auto prompt = static_cast<std::size_t>(request.spec.prompt_tokens);
  return request.progress.known.size() - std::max(state_of(request).verified, prompt);
}

// Where drafting does not seem to pay: measures how many tokens of the existing text the draft
// model would have drafted right. One pass answers for many tokens.
void Drafting::probe_model(std::span<Request* const> requests, const DraftCost& cost) {
  const Request* chosen = nullptr;
  for (const Request* request : requests) {
    if (state_of(*request).model_failed) continue;
    if (chosen == nullptr || unverified(*request) > unverified(*chosen)) chosen = request;
  }
  if (unverified(*chosen) < kLeastProbed) return;
  const DraftRequest reader{chosen->spec.id, chosen->progress.known};
  if (!speculation_.may_probe(model_reading_ms(model_->lag(reader)) + cost.pass_ms)) return;
  const double started = clock_();
  const std::vector<bool> hits = model_->verify(reader, unverified(*chosen));
  const double elapsed = clock_() - started;
  totals_.draft_ms += elapsed;
  speculation_.probed(elapsed);
  DraftState& state = state_of(*chosen);
  if (hits.empty()) return model_failed(std::array{&state});
  state.verified = chosen->progress.known.size();
  for (const bool hit : hits) {
    state.by_model.learn(hit);
    speculation_.verified_model(hit);
  }
}

void Drafting::model_failed(std::span<DraftState* const> states) {
  ++totals_.draft_failures;
  ++failures_in_a_row_;
  for (DraftState* state : states) state->model_failed = true;
}

// nullptr: nothing was ever drafted for this request.
DraftState* Drafting::find(const Request& request) {
  const auto found = states_.find(request.spec.id);
  return found == states_.end() ? nullptr : &found->second;
}

void Drafting::verify(const Request& request, std::size_t index, TokenId token) {
  DraftState* state = find(request);
  if (state == nullptr) return;
  static_cast<void>(state->by_lookup.verify(index, token));  // only updates the rates
  const std::optional<bool> hit = state->by_model.verify(index, token);
  if (!hit) return;
  speculation_.verified_model(*hit);
  state->verified = request.progress.known.size() + 1;
}

void Drafting::accepted(const Request& request) {
  ++totals_.accepted_tokens;
  totals_.model_accepted_tokens += state_of(request).by_model.tokens.empty() ? 0 : 1;
}

void Drafting::discard_drafts(const Request& request) {
  if (DraftState* state = find(request)) state->discard_drafts();
}

void Drafting::release(const Request& request) {
  states_.erase(request.spec.id);
  if (model_ != nullptr) model_->release(request.spec.id);
}

void Drafting::drafted_pass(std::size_t requests, std::size_t rows, double ms) {
  speculation_.measured_drafted(requests, rows, ms);
  totals_.drafted_tokens += static_cast<std::int64_t>((rows - 1) * requests);
}

DraftingStats Drafting::stats() const {
  DraftingStats stats = totals_;
  if (model_ != nullptr) stats.draft_passes = model_->passes();
  return stats;
}

void Drafting::check() const {
  if (model_ != nullptr) model_->check();
}

void Drafting::interrupt() {
  if (model_ != nullptr) model_->interrupt();
}

}  // namespace infernode
