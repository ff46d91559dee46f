#include "admission.h"

#include <algorithm>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "core/failures.h"

namespace infernode {

namespace {

// The advice for a prompt that is too long for the context.
std::string longer(const BackendLimits& limits) {
  const std::int32_t trained = limits.trained_length;
  if (trained <= 0) return " or create the engine with a larger contextLength.";
  const std::string most = std::to_string(trained);
  if (limits.context_length >= trained) return ": this model takes " + most + " at most.";
  return " or create the engine with a larger contextLength, at most " + most + " for this model.";
}

std::string tokens_text(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " token" : " tokens");
}

std::string overflow_sentence(const std::string& tokens, const BackendLimits& limits) {
  return "The prompt has " + tokens + ", the context holds " +
         std::to_string(limits.context_length) +
         " and needs one for the answer. Shorten the prompt" + longer(limits);
}

// The refusal of the first token that is none of the model's, if any: TokenChooser and the backend
// use these tokens as indices.
std::optional<Failure> unknown_token(std::span<const TokenId> tokens, const char* option,
                                     const BackendLimits& limits) {
  for (const TokenId token : tokens) {
    if (token >= 0 && token < limits.vocabulary_size) continue;
    return Failure{ErrorCode::kInvalidOption,
                   "must hold tokens of the model's vocabulary, 0 to " +
                       std::to_string(limits.vocabulary_size - 1) + ", got " +
                       std::to_string(token),
                   option};
  }
  return std::nullopt;
}

}  // namespace

Admission::Admission(const Parts& parts, const BackendLimits& limits, std::size_t queue_limit,
                     Clock clock)
    : parts_(parts), limits_(limits), queue_limit_(queue_limit), clock_(std::move(clock)) {}

void Admission::refuse_as(const Failure& failure) {
  const std::lock_guard lock(broken_mutex_);
  broken_ = failure;
}

bool Admission::broken() const {
  const std::lock_guard lock(broken_mutex_);
  return broken_.has_value();
}

void Admission::check_prompt(std::size_t least_tokens) const {
  if (least_tokens < static_cast<std::size_t>(limits_.context_length)) return;
  throw Error(ErrorCode::kContextOverflow,
              overflow_sentence("at least " + tokens_text(least_tokens), limits_));
}

std::optional<Failure> Admission::submit(RequestId id, std::vector<TokenId> prompt,
                                         GenerateParams params,
                                         std::shared_ptr<RequestControl> control) {
  if (prompt.empty())
    return Failure{ErrorCode::kInvalidOption, "must have at least one token", "prompt"};
  if (prompt.size() >= static_cast<std::size_t>(limits_.context_length)) {
    return Failure{ErrorCode::kContextOverflow,
                   overflow_sentence(tokens_text(prompt.size()), limits_)};
  }
  const auto room = limits_.context_length - static_cast<std::int32_t>(prompt.size());
  if (params.min_tokens > room) {
    return Failure{ErrorCode::kContextOverflow,
                   "must be at most " + std::to_string(room) + ", got " +
                       std::to_string(params.min_tokens) + ": the context of " +
                       std::to_string(limits_.context_length) + " tokens has a prompt of " +
                       tokens_text(prompt.size()) + ". Shorten it" + longer(limits_),
                   "minTokens"};
  }
  if (auto failure = unknown_token(prompt, "prompt", limits_)) return failure;
  if (auto failure = unknown_token(params.allowed_tokens, "allowedTokens", limits_)) return failure;
  for (const std::vector<TokenId>& phrase : params.bad_phrases)
    if (auto failure = unknown_token(phrase, "badWords", limits_)) return failure;
  params.cache_salt = cache_key(params.cache_salt, params.adapters);
  auto request = std::make_unique<Request>(id, std::move(prompt), std::move(params),
                                           std::move(control), limits_.vocabulary_size);
  request->times.accepted = clock_();
  return admit(std::move(request));
}

std::optional<Failure> Admission::fork(RequestId source, RequestId id, std::uint64_t seed,
                                       std::shared_ptr<RequestControl> control) {
  return admit(Fork{source, id, seed, std::move(control), clock_()});
}

std::optional<Failure> Admission::admit(Arrival arrival) {
  const std::lock_guard admitting(admit_mutex_);
  if (living_.load() >= queue_limit_) return queue_full(queue_limit_);
  living_.fetch_add(1);  // before the engine thread can end it
  bool pushed = false;
  try {
    pushed = mailbox_.push(std::move(arrival));
  } catch (...) {
    living_.fetch_sub(1);
    throw;
  }
  if (pushed) return std::nullopt;
  living_.fetch_sub(1);
  const std::lock_guard lock(broken_mutex_);
  return broken_ ? *broken_ : engine_closed();
}

void Admission::call(Call work) {
  Call kept = work;
  if (!mailbox_.push(std::move(work))) kept(nullptr);
}

// First what take_requests() left.
bool Admission::take_arrivals() {
  bool any = false;
  do {
    while (taken_ < arrivals_.size()) {
      any = true;
      take(arrivals_[taken_]);
    }
    drain();
  } while (!arrivals_.empty());
  return any;
}

void Admission::take_requests() {
  if (taken_ == arrivals_.size()) drain();
  while (taken_ < arrivals_.size() &&
         std::holds_alternative<std::unique_ptr<Request>>(arrivals_[taken_]))
    take(arrivals_[taken_]);
}

void Admission::drain() {
  arrivals_.clear();
  taken_ = 0;
  arrivals_ = mailbox_.drain();
}

void Admission::take(Arrival& arrival) {
  if (std::holds_alternative<Call>(arrival))
    return take_call(arrival, mailbox_.closed() ? nullptr : &parts_.cache);
  try {
    if (const auto* fork = std::get_if<Fork>(&arrival)) {
      accept(*fork);
    } else {
      auto& request = std::get<std::unique_ptr<Request>>(arrival);
      parts_.publisher.prompt(*request);
      parts_.publisher.accepted(request->spec.id, !request->spec.params.embeds);
      parts_.scheduler.accept(request);
    }
    ++taken_;
  } catch (const std::bad_alloc&) {
    end_arrival(arrival, FinishReason::kError,
                Failure{ErrorCode::kOutOfMemory, std::string(kRequestOutOfMemory)});
  }
}

void Admission::take_call(Arrival& arrival, KvCache* cache) {
  const Call work = std::move(std::get<Call>(arrival));
  ++taken_;
  work(cache);
}

// A fork gets the tokens that its source has generated.
void Admission::accept(const Fork& fork) {
  const Request* source = parts_.scheduler.find(fork.source);
  if (source == nullptr) {
    parts_.publisher.refuse(fork.id, FinishReason::kError,
                            Failure{ErrorCode::kInvalidOption,
                                    "The generation to fork had ended; fork one that still runs."});
    living_.fetch_sub(1);
    return;
  }
  auto request = source->fork(fork.id, fork.seed, fork.control, limits_.vocabulary_size);
  request->times.accepted = fork.accepted;
  parts_.cache.copy_to_fork(*source, *request);
  try {
    parts_.publisher.accepted(fork.id, true);
    parts_.publisher.fork_prefix(*request, parts_.chooser.vocab_of(*request));
    parts_.scheduler.accept(request);
  } catch (...) {
    parts_.cache.drop_saved(*request);
    throw;
  }
}

// arrivals_ from taken_ on are requests as those in the mailbox are; calls are not counted.
void Admission::check() const {
  const auto counts = [](const Arrival& arrival) { return !std::holds_alternative<Call>(arrival); };
  const std::lock_guard admitting(admit_mutex_);
  const auto drained = std::count_if(arrivals_.begin() + static_cast<std::ptrdiff_t>(taken_),
                                     arrivals_.end(), counts);
  const std::size_t requests =
      parts_.scheduler.living().size() + static_cast<std::size_t>(drained) + mailbox_.count(counts);
  INFERNODE_CHECK(living_.load() == requests, "the engine has " + std::to_string(requests) +
                                                  " living requests and counts " +
                                                  std::to_string(living_.load()));
}

void Admission::end_arrivals(FinishReason reason, const std::optional<Failure>& failure) {
  do {
    while (taken_ < arrivals_.size()) end_arrival(arrivals_[taken_], reason, failure);
    drain();
  } while (!arrivals_.empty());
}

void Admission::end_arrival(Arrival& arrival, FinishReason reason, std::optional<Failure> failure) {
  if (std::holds_alternative<Call>(arrival)) return take_call(arrival, nullptr);
  if (const auto* fork = std::get_if<Fork>(&arrival)) {
    parts_.publisher.refuse(fork->id, reason, std::move(failure));
  } else {
    Request& request = *std::get<std::unique_ptr<Request>>(arrival);
    parts_.publisher.end(request, reason, std::move(failure), {}, clock_());
  }
  living_.fetch_sub(1);
  ++taken_;
}

}  // namespace infernode
