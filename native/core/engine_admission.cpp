// What other threads ask of an engine: each thing is judged here and put into the
// mailbox, or refused with a reason. The engine thread takes it out again; each stays in
// arrivals_ until it is living, ended or done, so that what breaks loses nobody.
#include <new>
#include <string>
#include <utility>

#include "engine.h"

namespace infernode {

namespace {

std::string overflow_sentence(const std::string& tokens, std::int32_t context) {
  return "The prompt has " + tokens + " tokens, the context holds " + std::to_string(context) +
         " and needs one for the answer. Shorten the prompt or create the engine with a larger "
         "context.";
}

}  // namespace

void Engine::check_prompt(std::size_t least_tokens) const {
  if (least_tokens < static_cast<std::size_t>(limits_.context_length)) return;
  throw Error(
      ErrorCode::kContextOverflow,
      overflow_sentence("at least " + std::to_string(least_tokens), limits_.context_length));
}

std::optional<Failure> Engine::submit(RequestId id, std::vector<TokenId> prompt,
                                      GenerateParams params,
                                      std::shared_ptr<RequestControl> control) {
  if (prompt.empty())
    return Failure{ErrorCode::kInvalidOption, "must have at least one token", "prompt"};
  if (prompt.size() >= static_cast<std::size_t>(limits_.context_length)) {
    return Failure{ErrorCode::kContextOverflow,
                   overflow_sentence(std::to_string(prompt.size()), limits_.context_length)};
  }
  const auto room = limits_.context_length - static_cast<std::int32_t>(prompt.size());
  if (params.min_tokens > room) {
    return Failure{ErrorCode::kContextOverflow,
                   "must be at most " + std::to_string(room) + ", got " +
                       std::to_string(params.min_tokens) + ": the context of " +
                       std::to_string(limits_.context_length) + " tokens has a prompt of " +
                       std::to_string(prompt.size()) +
                       "; shorten it or give the engine a larger one.",
                   "minTokens"};
  }
  for (const TokenId token : prompt) {
    if (token >= 0 && token < limits_.vocabulary_size) continue;
    return Failure{ErrorCode::kInvalidOption,
                   "must hold tokens of the model's vocabulary, 0 to " +
                       std::to_string(limits_.vocabulary_size - 1) + ", got " +
                       std::to_string(token),
                   "prompt"};
  }
  params.cache_salt = cache_key(params.cache_salt, params.adapters);
  auto request = std::make_unique<Request>(id, std::move(prompt), std::move(params),
                                           std::move(control), limits_.vocabulary_size);
  request->times.accepted = clock_();
  return admit(std::move(request));
}

std::optional<Failure> Engine::fork(RequestId source, RequestId id, std::uint64_t seed,
                                    std::shared_ptr<RequestControl> control) {
  return admit(Fork{source, id, seed, std::move(control), clock_()});
}

std::optional<Failure> Engine::admit(Arrival arrival) {
  if (living_.fetch_add(1) >= config_.queue_limit) {
    living_.fetch_sub(1);
    return Failure{ErrorCode::kQueueFull,
                   "The engine has " + std::to_string(config_.queue_limit) +
                       " living requests, its limit; try again later or raise queueLimit."};
  }
  Pushed pushed = Pushed::kClosed;
  try {
    pushed = mailbox_.push(std::move(arrival));
  } catch (...) {
    living_.fetch_sub(1);
    throw;
  }
  if (pushed == Pushed::kAccepted) return std::nullopt;
  living_.fetch_sub(1);
  const std::lock_guard lock(shared_mutex_);
  return broken_.value_or(
      Failure{ErrorCode::kEngineClosed, "The engine is closed; create another one."});
}

void Engine::call(std::function<void(KvCache*)> work) {
  Call kept = work;
  if (mailbox_.push(std::move(work)) != Pushed::kAccepted) kept(nullptr);
}

void Engine::take_arrivals() {
  if (arrivals_.empty()) arrivals_ = mailbox_.drain();
  while (taken_ < arrivals_.size()) take(arrivals_[taken_]);
  arrivals_.clear();
  taken_ = 0;
}

// What one arrival finds no memory for costs nobody else.
void Engine::take(Arrival& arrival) {
  if (std::holds_alternative<Call>(arrival))
    return take_call(arrival, mailbox_.closed() ? nullptr : &cache_);
  try {
    if (const auto* fork = std::get_if<Fork>(&arrival)) {
      accept(*fork);
    } else {
      scheduler_.accept(std::get<std::unique_ptr<Request>>(arrival));
    }
    ++taken_;
  } catch (const std::bad_alloc&) {
    end_arrival(arrival, FinishReason::kError,
                Failure{ErrorCode::kOutOfMemory,
                        "There was no memory for this request; others are not affected."});
  }
}

void Engine::take_call(Arrival& arrival, KvCache* cache) {
  const Call work = std::move(std::get<Call>(arrival));
  ++taken_;
  work(cache);
}

// A fork hears what its source has generated.
void Engine::accept(const Fork& fork) {
  const Request* source = scheduler_.find(fork.source);
  if (source == nullptr) {
    publisher_.refuse(fork.id, FinishReason::kError,
                      Failure{ErrorCode::kInvalidOption,
                              "The generation to fork had ended; fork one that still runs."});
    living_.fetch_sub(1);
    return;
  }
  auto request = source->fork(fork.id, fork.seed, fork.control, limits_.vocabulary_size);
  request->times.accepted = fork.accepted;
  cache_.hand_over(*source, *request);
  try {
    publisher_.beginning(*request, chooser_.vocab_of(*request));
    scheduler_.accept(request);
  } catch (...) {
    cache_.forget(*request);
    throw;
  }
}

// Ends what has not been taken, as all that lives ends.
void Engine::end_arrivals(FinishReason reason, const std::optional<Failure>& failure) {
  do {
    while (taken_ < arrivals_.size()) end_arrival(arrivals_[taken_], reason, failure);
    arrivals_ = mailbox_.drain();
    taken_ = 0;
  } while (!arrivals_.empty());
}

void Engine::end_arrival(Arrival& arrival, FinishReason reason, std::optional<Failure> failure) {
  if (std::holds_alternative<Call>(arrival)) return take_call(arrival, nullptr);
  if (const auto* fork = std::get_if<Fork>(&arrival)) {
    publisher_.refuse(fork->id, reason, std::move(failure));
  } else {
    Request& request = *std::get<std::unique_ptr<Request>>(arrival);
    publisher_.end(request, reason, std::move(failure), {}, clock_());
  }
  living_.fetch_sub(1);
  ++taken_;
}

}  // namespace infernode
