// What other threads ask of an engine: each thing is judged here and put into the
// mailbox, or refused with a reason.
#include <string>
#include <utility>

#include "engine.h"

namespace infernode {

namespace {

std::string overflow_sentence(std::size_t prompt, std::int32_t context) {
  return "The prompt has " + std::to_string(prompt) + " tokens, the context holds " +
         std::to_string(context) +
         " and needs one for the answer. Shorten the prompt or create the engine with a larger "
         "contextLength.";
}

}  // namespace

std::optional<Failure> Engine::submit(RequestId id, std::vector<TokenId> prompt,
                                      GenerateParams params,
                                      std::shared_ptr<RequestControl> control) {
  if (prompt.empty())
    return Failure{ErrorCode::kInvalidOption, "The prompt has no tokens; give at least one."};
  if (prompt.size() >= static_cast<std::size_t>(limits_.context_length)) {
    return Failure{ErrorCode::kContextOverflow,
                   overflow_sentence(prompt.size(), limits_.context_length)};
  }
  const auto room = limits_.context_length - static_cast<std::int32_t>(prompt.size());
  if (params.min_tokens > room) {
    return Failure{ErrorCode::kContextOverflow,
                   "minTokens must be at most " + std::to_string(room) + ", got " +
                       std::to_string(params.min_tokens) + ": the context of " +
                       std::to_string(limits_.context_length) + " tokens has a prompt of " +
                       std::to_string(prompt.size()) + "; shorten it or raise contextLength."};
  }
  for (const TokenId token : prompt) {
    if (token >= 0 && token < limits_.vocabulary_size) continue;
    return Failure{ErrorCode::kInvalidOption, "Token " + std::to_string(token) +
                                                  " of the prompt is not in the vocabulary of " +
                                                  std::to_string(limits_.vocabulary_size) +
                                                  " tokens."};
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
  if (mailbox_.push(std::move(arrival)) == Pushed::kAccepted) return std::nullopt;
  living_.fetch_sub(1);
  const std::lock_guard lock(shared_mutex_);
  return broken_.value_or(
      Failure{ErrorCode::kEngineClosed, "The engine is closed; create another one."});
}

void Engine::call(std::function<void(KvCache*)> work) {
  Call kept = work;
  if (mailbox_.push(std::move(work)) != Pushed::kAccepted) kept(nullptr);
}

}  // namespace infernode
