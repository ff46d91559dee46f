#include "request.h"

#include <utility>

namespace infernode {

Request::Request(RequestId request_id, std::vector<TokenId> prompt, GenerateParams generate,
                 std::shared_ptr<RequestControl> request_control, std::int32_t vocabulary_size)
    : id(request_id),
      params(std::move(generate)),
      prompt_tokens(static_cast<std::int32_t>(prompt.size())),
      control(std::move(request_control)),
      known(std::move(prompt)),
      sampler(params.sampling, vocabulary_size),
      text(params.stop) {
  sampler.prime(known);
  if (params.grammar != nullptr)
    constraint.emplace(params.grammar, params.grammar_prefix, params.triggers);
}

std::unique_ptr<Request> Request::fork(RequestId fork_id, std::uint64_t seed,
                                       std::shared_ptr<RequestControl> fork_control,
                                       std::int32_t vocabulary_size) const {
  const auto prompt_end = known.begin() + prompt_tokens;
  auto other = std::make_unique<Request>(fork_id, std::vector<TokenId>(known.begin(), prompt_end),
                                         params, std::move(fork_control), vocabulary_size);
  other->known = known;
  other->log_probs = log_probs;
  other->sampler = sampler;
  other->sampler.reseed(seed);
  other->text = text;
  other->constraint = constraint;
  return other;
}

bool Request::lagging() const {
  const auto unread = [this] {
    return generated_tokens() - control->acknowledged.load(std::memory_order_seq_cst);
  };
  if (unread() <= kUnreadTokensAllowed) return false;
  control->wants_wake.store(true, std::memory_order_seq_cst);
  return unread() > kUnreadTokensAllowed;
}

}  // namespace infernode
