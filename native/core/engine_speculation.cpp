// The engine's step where a pass computes what requests are guessed to say next:
// drafts go in as rows of a prefill with logits at each, and every row's token is
// chosen as if its pass had been one of its own. The first that differs from the
// draft ends the request's share; rows behind it are forgotten. Drafts are looked up
// in the text or asked of a draft model; whatever that one does, requests go on.
#include <algorithm>
#include <optional>
#include <utility>

#include "engine.h"

namespace infernode {

namespace {

// Tokens that what the draft model reads is spread over: text may turn sooner.
constexpr std::int32_t kTokensThatPayReading = 64;
constexpr std::size_t kLeastAsked = 8;  // tokens worth a pass of the draft model
constexpr std::int32_t kFailuresUntilSilent = 8;

}  // namespace

// Drafts for all rows of the step; the tokens per request to compute beyond the
// first, 0 for an ordinary pass.
std::size_t Engine::draft(const std::vector<DecodeRow>& rows) {
  if (!may_draft(rows)) return 0;
  std::size_t room = kMostDrafted;
  if (limits_.unified && !rows.empty()) {
    const auto cells = cache_.room(static_cast<std::int32_t>(rows.size() * (kMostDrafted + 1)));
    room = static_cast<std::size_t>(cells) / rows.size() - 1;  // a cell for each is there
  }
  std::vector<const Guesser*> guessers;
  for (const DecodeRow& row : rows) {
    Request& request = *row.request;
    if (request.guesser == nullptr) request.guesser = std::make_unique<Guesser>();
    const std::int32_t limit = request.params.max_tokens;
    if (limit > 0)
      room = std::min(room, static_cast<std::size_t>(limit - request.generated_tokens() - 1));
    room = std::min(room, static_cast<std::size_t>(limits_.context_length - request.computed - 2));
    Guesser& guesser = *request.guesser;
    if (guesser.judged == 0) guesser.modelled.rates[0] = speculation_.model_rate();
    Lookup found = guesser.drafter.draft(request.known, kMostDrafted);
    guesser.looked_up.renew(std::move(found.tokens), found.matched);
    guesser.modelled.renew({});
    guessers.push_back(&guesser);
  }
  const std::optional<DraftCost> cost = cost_of_model(rows);
  const DraftPlan plan = speculation_.plan(guessers, cost);
  std::size_t length = std::min(room, plan.length);
  if (plan.model) length = std::min(length, draft_model_->most());
  if (length == 0 && cost) ask_model(rows, *cost);
  if (length > 0 && plan.model && !draft_by_model(rows, length)) return 0;
  for (const DecodeRow& row : rows) {
    Guesser& guesser = *row.request->guesser;
    guesser.drafted =
        guesser.modelled.tokens.empty() ? guesser.looked_up.tokens : guesser.modelled.tokens;
    // Who has no guess computes one for nothing.
    guesser.drafted.resize(length, row.request->known.back());
  }
  return length;
}

bool Engine::may_draft(const std::vector<DecodeRow>& rows) const {
  if (!config_.speculates || !limits_.pads_decode) return false;
  if (rows.empty() || rows.size() > kMostSpeculating) return false;
  const auto outputs = static_cast<std::size_t>(limits_.prefill_outputs);
  return rows.size() * (kMostDrafted + 1) <= outputs &&
         std::ranges::none_of(rows, [](const DecodeRow& row) {
           return row.request == nullptr || row.request->params.embeds;
         });
}

// What the draft model takes for these requests; nothing where it is not to be asked.
std::optional<DraftCost> Engine::cost_of_model(const std::vector<DecodeRow>& rows) const {
  if (draft_model_ == nullptr || draft_failures_in_a_row_ >= kFailuresUntilSilent)
    return std::nullopt;
  const double plain = speculation_.plain_ms(rows.size());
  const double pass = draft_model_->pass_ms(rows.size());
  DraftCost cost{pass > 0 ? pass : config_.draft_price * plain, 0};
  bool any = false;
  for (const DecodeRow& row : rows) {
    const Request& request = *row.request;
    if (request.guesser->model_failed) continue;
    any = true;
    // Two tokens are what a draft that came true leaves: no reading.
    const std::size_t lag = draft_model_->lag({request.id, request.known});
    if (lag <= 2) continue;
    std::int32_t to_come = kTokensThatPayReading;
    const std::int32_t limit = request.params.max_tokens;
    if (limit > 0) to_come = std::clamp(limit - request.generated_tokens(), 1, to_come);
    cost.reading_ms += model_reading_ms(lag) / to_come;
  }
  return any ? std::optional(cost) : std::nullopt;
}

double Engine::model_reading_ms(std::size_t tokens) const {
  double row = draft_model_->row_ms();
  if (row <= 0) {
    const double own = budget_.row_ms() > 0 ? budget_.row_ms() : speculation_.plain_ms(1);
    row = config_.draft_price * own;
  }
  return row * static_cast<double>(tokens);
}

// Has the draft model guess for those for whom it does so better than their text.
// False: it failed, which costs them its guesses from now on and nothing else.
bool Engine::draft_by_model(const std::vector<DecodeRow>& rows, std::size_t length) {
  std::vector<DraftReader> readers;
  std::vector<Guesser*> guessers;
  for (const DecodeRow& row : rows) {
    if (!row.request->guesser->by_model(length)) continue;
    readers.push_back({row.request->id, row.request->known});
    guessers.push_back(row.request->guesser.get());
  }
  if (readers.empty()) return true;
  const double started = clock_();
  std::vector<std::vector<TokenId>> drafts = draft_model_->draft(readers, length);
  totals_.draft_ms += clock_() - started;
  if (drafts.empty()) {
    model_failed(guessers);
    return false;
  }
  draft_failures_in_a_row_ = 0;
  for (std::size_t i = 0; i < drafts.size(); ++i) guessers[i]->modelled.renew(std::move(drafts[i]));
  totals_.model_drafted_tokens += static_cast<std::int64_t>(length * drafts.size());
  return true;
}

// Where drafting does not seem to pay: what the draft model would have guessed of the
// text that is there by now. One pass answers for many tokens.
void Engine::ask_model(const std::vector<DecodeRow>& rows, const DraftCost& cost) {
  const auto unjudged = [](const Request& request) {
    const auto prompt = static_cast<std::size_t>(request.prompt_tokens);
    return request.known.size() - std::max(request.guesser->judged, prompt);
  };
  Request* chosen = nullptr;
  for (const DecodeRow& row : rows) {
    if (row.request->guesser->model_failed) continue;
    if (chosen == nullptr || unjudged(*row.request) > unjudged(*chosen)) chosen = row.request;
  }
  if (unjudged(*chosen) < kLeastAsked) return;
  const DraftReader reader{chosen->id, chosen->known};
  if (!speculation_.may_ask(model_reading_ms(draft_model_->lag(reader)) + cost.pass_ms)) return;
  const double started = clock_();
  const std::vector<bool> hits = draft_model_->judge(reader, unjudged(*chosen));
  const double elapsed = clock_() - started;
  totals_.draft_ms += elapsed;
  speculation_.asked(elapsed);
  if (hits.empty()) return model_failed({chosen->guesser.get()});
  chosen->guesser->judged = chosen->known.size();
  for (const bool hit : hits) {
    chosen->guesser->modelled.learn(hit);
    speculation_.judged_model(hit);
  }
}

void Engine::model_failed(const std::vector<Guesser*>& guessers) {
  ++totals_.draft_failures;
  ++draft_failures_in_a_row_;
  for (Guesser* guesser : guessers) guesser->model_failed = true;
}

void Engine::decode_drafted(const std::vector<DecodeRow>& rows, std::size_t length) {
  std::vector<BatchRow> batch;
  std::vector<Request*> requests;
  for (const DecodeRow& row : rows) {
    Request& request = *row.request;
    requests.push_back(&request);
    const std::vector<TokenId>& drafted = request.guesser->drafted;
    batch.push_back({row.row.token, row.row.sequence, row.row.position, true});
    for (std::size_t i = 0; i < length; ++i) {
      const auto position = row.row.position + 1 + static_cast<Position>(i);
      batch.push_back({drafted[i], row.row.sequence, position, true});
    }
  }
  const double started = clock_();
  const DecodeStatus status = status_of([&] { return backend_->prefill(batch); });
  const double elapsed = clock_() - started;
  totals_.decode_ms += elapsed;
  if (status != DecodeStatus::kOk) return pass_failed(status, requests);
  pass_succeeded();
  speculation_.measured_drafted(requests.size(), length + 1, elapsed);
  ++totals_.decode_passes;
  totals_.decode_rows += static_cast<std::int64_t>(requests.size());
  totals_.drafted_tokens += static_cast<std::int64_t>(length * requests.size());
  const double sampling = clock_();
  for (std::size_t i = 0; i < requests.size(); ++i) keep_hits(*requests[i], i * (length + 1));
  totals_.sample_ms += clock_() - sampling;
}

// The request's token at `index` of the step beside what was guessed.
void Engine::judge_guesses(Request& request, std::size_t index, TokenId token) {
  Guesser& guesser = *request.guesser;
  static_cast<void>(guesser.looked_up.judge(index, token));  // lookups are judged to learn
  const std::optional<bool> hit = guesser.modelled.judge(index, token);
  if (!hit) return;
  speculation_.judged_model(*hit);
  guesser.judged = request.known.size() + 1;
}

// Tokens of one request out of the rows from `first` on, as far as its draft
// comes true.
void Engine::keep_hits(Request& request, std::size_t first) {
  const std::vector<TokenId> drafted = request.guesser->drafted;
  const bool by_model = !request.guesser->modelled.tokens.empty();
  for (std::size_t i = 0; i <= drafted.size(); ++i) {
    ++request.computed;
    TokenChoice choice = chooser_.choose(request, backend_->logits(first + i), scratch_.front());
    const bool hit = i < drafted.size() && choice.token == drafted[i];
    judge_guesses(request, i, choice.token);
    if (!apply(request, std::move(choice))) return;  // it has ended, and is gone
    if (!hit) break;
    ++totals_.accepted_tokens;
    totals_.model_accepted_tokens += by_model ? 1 : 0;
  }
  request.guesser->rest();
  cache_.take_back(request.sequence, request.computed);
}

}  // namespace infernode
