#include "engine.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "rank_head.h"

namespace infernode {

namespace {

// Rows that make waking another sampling thread worth it.
constexpr std::size_t kRowsPerSampler = 8;

// Why no token could be chosen: as far as can be told, the request's own wishes.
Failure no_token(const Request& request) {
  if (request.constraint || !request.params.sampling.logit_bias.empty()) {
    return {
        ErrorCode::kInvalidOption,
        "No token may come here: the biases of tokens forbid every one, or the grammar, schema, "
        "regex or choice asks for what the vocabulary cannot spell. Allow more of them."};
  }
  return {ErrorCode::kDecodeFailed,
          "The model computed no usable logits (all are NaN or -infinity); the model file may "
          "be damaged."};
}

// Whether a request that ends so has computed its prompt.
bool is_whole(FinishReason reason) {
  return reason == FinishReason::kStop || reason == FinishReason::kLength;
}

}  // namespace

Engine::Engine(std::unique_ptr<Backend> backend, std::shared_ptr<const Vocab> vocab,
               EventSink& sink, EngineConfig config, Clock clock, std::unique_ptr<Backend> draft)
    : backend_(std::move(backend)),
      chooser_(std::move(vocab)),
      publisher_(sink, config.publish_interval_ms),
      config_(config),
      clock_(std::move(clock)),
      limits_(backend_->limits()),
      mailbox_(std::numeric_limits<std::size_t>::max()),  // admit() counts
      cache_(*backend_, config.cache, clock_),
      scheduler_(limits_, cache_),
      budget_(limits_.prefill_capacity, config.inter_token_latency_ms),
      speculation_(config.draft_length),
      draft_model_(draft ? std::make_unique<DraftModel>(std::move(draft), clock_) : nullptr),
      pool_(config.sampler_helpers),
      scratch_(pool_.workers()) {
  totals_.cells_total = limits_.unified
                            ? limits_.cells
                            : static_cast<std::int64_t>(limits_.slots) * limits_.context_length;
  record_stats();
}

Engine::~Engine() { close(); }

void Engine::start() {
  thread_ = std::thread([this] { run(); });
}

void Engine::close() {
  mailbox_.close();
  backend_->interrupt();
  if (draft_model_ != nullptr) draft_model_->interrupt();
  const std::lock_guard lock(close_mutex_);
  if (thread_.joinable()) thread_.join();
  finish(nullptr);  // of an engine that was never started; others have nothing left
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(shared_mutex_);
  return published_stats_;
}

void Engine::run() {
  std::exception_ptr cause;
  try {
    while (!mailbox_.closed()) {
      if (!step()) mailbox_.wait();
    }
  } catch (...) {
    cause = std::current_exception();
  }
  finish(cause);
}

// Drain, plan, decode and sample, prefill, emit.
bool Engine::step() {
  drain();
  const double started = clock_();
  const bool runnable = make_room();
  const std::vector<DecodeRow> rows = scheduler_.plan_decode();
  totals_.plan_ms += clock_() - started;
  if (shares_pass(rows)) {
    compute_shared(rows);
  } else {
    if (const std::size_t length = draft(rows); length > 0) {
      decode_drafted(rows, length);
    } else if (!rows.empty()) {
      decode(rows);
    }
    if (runnable) prefill();
  }
  if (runnable) {
    ++totals_.steps;
    must_progress();
    unproven_ = true;
  }
  if (unproven_ && (config_.check_ledger || !runnable)) check_ledger();
  emit();
  record_stats();
  return runnable;
}

void Engine::drain() {
  take_arrivals();
  for (Request* request : scheduler_.review()) end(*request, FinishReason::kCancelled);
}

bool Engine::make_room() {
  cache_.begin_step();
  for (Request* request : scheduler_.paused_in_the_way()) set_aside(*request);
  cache_.settle_awaiting();
  if (!scheduler_.any_running()) short_of_room_ = false;
  for (Request* request : scheduler_.admissible()) {
    if (short_of_room_ || !finds_room(*request)) break;
    if (request->times.scheduled < 0) request->times.scheduled = clock_();
    cache_.seat(*request);
  }
  choose_turn();
  while (const auto wanted = scheduler_.next_move()) {
    if (!cache_.move(*wanted)) break;
    ++totals_.sequence_moves;
  }
  if (limits_.unified) take_cells();
  return scheduler_.runnable();
}

void Engine::choose_turn() {
  if (!scheduler_.take_turn()) return;
  backend_->use_adapters(scheduler_.turn());
  ++totals_.adapter_switches;
}

// Whether there are cells for a waiting request, if need be those of paused ones.
bool Engine::finds_room(const Request& request) {
  while (cache_.running() > 0 && !cache_.fits(request)) {
    Request* leaving = scheduler_.first_to_leave();
    if (!leaving->paused) return false;
    set_aside(*leaving);
  }
  return true;
}

void Engine::set_aside(Request& request) {
  cache_.set_aside(request);
  ++totals_.preemptions;
}

void Engine::decode(const std::vector<DecodeRow>& rows) {
  std::vector<BatchRow> batch;
  std::vector<Request*> requests;
  for (const DecodeRow& row : rows) {
    batch.push_back(row.row);
    if (row.request != nullptr) requests.push_back(row.request);
  }
  const double started = clock_();
  const bool embeds = std::ranges::any_of(requests, [](auto* one) { return one->params.embeds; });
  const DecodeStatus status = status_of([&] { return backend_->decode(batch, embeds); });
  for (const auto& [row, request] : rows) {
    if (request != nullptr) continue;
    if (status == DecodeStatus::kFailed) {
      cache_.spoilt(row.sequence);
    } else {
      cache_.take_back(row.sequence, row.position);
    }
  }
  const double elapsed = clock_() - started;
  totals_.decode_ms += elapsed;
  if (status != DecodeStatus::kOk) return pass_failed(status, requests);
  budget_.decoded(elapsed);
  speculation_.measured_plain(requests.size(), elapsed);
  pass_succeeded();
  ++totals_.decode_passes;
  totals_.decode_rows += static_cast<std::int64_t>(requests.size());
  totals_.padding_rows += static_cast<std::int64_t>(rows.size() - requests.size());
  std::vector<SampleRow> sampled;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (rows[row].request == nullptr) continue;
    Request& request = *rows[row].request;
    ++request.computed;
    if (request.params.embeds) {
      finish_embedding(request, row);
    } else {
      sampled.push_back({&request, row});
    }
  }
  sample(sampled);
}

void Engine::finish_embedding(Request& request, std::size_t row) {
  const std::span<const float> hidden = backend_->embedding(row);
  const RankHead* head = request.params.rank_head.get();
  std::vector<float> embedding =
      head == nullptr ? std::vector<float>(hidden.begin(), hidden.end()) : head->scores(hidden);
  leave(request, true);
  publisher_.embedded(request, std::move(embedding), clock_());
  remove(request);
}

// Of requests whose known tokens are all computed.
void Engine::sample(const std::vector<SampleRow>& rows) {
  const double started = clock_();
  std::vector<std::span<float>> logits;
  for (const SampleRow& row : rows) logits.push_back(backend_->logits(row.row));
  std::vector<TokenChoice> chosen(rows.size());
  pool_.run(
      rows.size(),
      [&](std::size_t index, std::size_t worker) {
        chosen[index] = chooser_.choose(*rows[index].request, logits[index], scratch_[worker]);
      },
      kRowsPerSampler);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Request& request = *rows[i].request;
    if (request.guesser != nullptr) {
      judge_guesses(request, 0, chosen[i].token);
      request.guesser->rest();
    }
    static_cast<void>(apply(request, std::move(chosen[i])));  // the last thing done for it
  }
  totals_.sample_ms += clock_() - started;
}

// False when the request has ended, and is gone.
bool Engine::apply(Request& request, TokenChoice choice) {
  request.suspect = false;
  const double now = clock_();
  const bool first = request.times.first_token < 0;
  if (first) request.times.first_token = now;
  request.times.last_token = now;
  totals_.masked_rows += choice.masked ? 1 : 0;
  if (choice.failure) {
    end(request, FinishReason::kError, std::move(choice.failure));
    return false;
  }

  if (choice.token == kNoToken && choice.complete) {
    end(request, FinishReason::kStop);
    return false;
  }
  if (choice.token == kNoToken) {
    end(request, FinishReason::kError, no_token(request));
    return false;
  }
  const auto reason = finish_reason(request, choice);
  if (!choice.ends_generation) {
    request.known.push_back(choice.token);
    if (choice.log_probs != nullptr) request.log_probs.push_back(choice.log_probs);
    ++totals_.generated_tokens;
    publisher_.token(request, std::move(choice), first);
  }
  if (reason) end(request, *reason);
  return !reason;
}

// Why it ends when it has this token too.
std::optional<FinishReason> Engine::finish_reason(const Request& request,
                                                  const TokenChoice& choice) const {
  if (choice.ends_generation || choice.text.stopped || choice.complete) return FinishReason::kStop;
  const std::int32_t limit = request.params.max_tokens;
  if (limit > 0 && request.generated_tokens() + 1 >= limit) return FinishReason::kLength;
  if (static_cast<std::int32_t>(request.known.size()) + 1 >= limits_.context_length)
    return FinishReason::kLength;
  return std::nullopt;
}

void Engine::end(Request& request, FinishReason reason, std::optional<Failure> failure) {
  // In this very step: afterwards, others may have taken its place.
  CachedState state;
  if (request.params.saves && is_whole(reason)) state = cache_.take(request);
  leave(request, reason != FinishReason::kError);
  publisher_.end(request, reason, std::move(failure), std::move(state), clock_());
  remove(request);
}

// All of an end that may fail: it comes before the end is told, so that what breaks here
// leaves a living request, whose end is still to come.
void Engine::leave(Request& request, bool keep_computed) {
  if (request.sequence != kNoSequence) cache_.leave(request, keep_computed);
  cache_.forget(request);
  if (draft_model_ != nullptr) draft_model_->leave(request.id);
}

void Engine::remove(Request& request) {
  scheduler_.remove(request);
  living_.fetch_sub(1);
}

void Engine::emit() {
  if (publisher_.empty()) return;
  const bool more_follows = scheduler_.generates();
  if (!more_follows || !publisher_.may_wait(clock_())) publish();
}

void Engine::publish() {
  record_stats();  // who hears of an end finds it in the figures
  const double started = clock_();
  publisher_.publish(started);
  totals_.emit_ms += clock_() - started;
}

void Engine::prefill() {
  if (limits_.unified) return compute_shared({});
  const bool others_generate = scheduler_.generates();
  const double started = clock_();
  for (const PrefillGroup& group : scheduler_.plan_prefill(budget_.rows(others_generate))) {
    if (!prefill_group(group)) break;  // the plan no longer holds
  }
  totals_.prefill_ms += clock_() - started;
}

// False when its pass failed.
bool Engine::prefill_group(const PrefillGroup& group) {
  std::vector<BatchRow> batch;
  std::vector<SampleRow> ready;
  for (Request* request : group.requests) {
    for (std::int32_t i = 0; i < group.count; ++i) {
      const Position position = request->computed + i;
      const TokenId token = request->known[static_cast<std::size_t>(position)];
      batch.push_back({token, request->sequence, position});
    }
    if (request->gap() > group.count) continue;
    batch.back().wants_logits = true;
    ready.push_back({request, batch.size() - 1});
  }
  const double started = clock_();
  const DecodeStatus status = status_of([&] { return backend_->prefill(batch); });
  if (status != DecodeStatus::kOk) {
    pass_failed(status, group.requests);
    return false;
  }
  pass_succeeded();
  const auto rows = static_cast<std::int32_t>(batch.size());
  budget_.prefilled(rows, clock_() - started);
  cache_.row_cost(budget_.row_ms());
  ++totals_.prefill_passes;
  totals_.prompt_tokens_computed += rows;
  for (Request* request : group.requests) {
    request->computed += group.count;
    cache_.reached(*request);
  }
  if (!ready.empty()) sample(ready);
  return true;
}

void Engine::record_stats() {
  totals_.running = cache_.running();
  totals_.waiting = scheduler_.waiting();
  totals_.cache = cache_.stats();
  totals_.graphs_reused = backend_->graphs_reused();
  if (draft_model_ != nullptr) totals_.draft_passes = draft_model_->passes();
  publish_stats();
}

void Engine::publish_stats() {
  const std::lock_guard lock(shared_mutex_);
  published_stats_ = totals_;
}

}  // namespace infernode
