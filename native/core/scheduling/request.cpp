#include "request.h"

#include <utility>

namespace infernode {

Request::Request(RequestId id, std::vector<TokenId> prompt, GenerateParams params,
                 std::shared_ptr<RequestControl> control, std::int32_t vocabulary_size)
    : spec{id, std::move(params), static_cast<std::int32_t>(prompt.size()), std::move(control)},
      output{Sampler(spec.params.sampling, vocabulary_size),
             TextStream(spec.params.stop, spec.params.include_stop),
             {},
             {}} {
  progress.known = std::move(prompt);
  output.sampler.prime(progress.known);
  if (spec.params.grammar != nullptr) {
    output.constraint.emplace(spec.params.grammar, spec.params.grammar_prefix,
                              spec.params.triggers);
  }
}

std::unique_ptr<Request> Request::fork(RequestId id, std::uint64_t seed,
                                       std::shared_ptr<RequestControl> control,
                                       std::int32_t vocabulary_size) const {
  const std::vector<TokenId>& known = progress.known;
  GenerateParams params = spec.params;
  params.prompt_log_probs = -1;  // its source publishes them
  params.prompt_tokens = false;
  auto other = std::make_unique<Request>(
      id, std::vector<TokenId>(known.begin(), known.begin() + spec.prompt_tokens),
      std::move(params), std::move(control), vocabulary_size);
  other->progress.known = known;
  other->output = output;
  other->output.sampler.reseed(seed);
  return other;
}

bool Request::lagging() const {
  const auto unread = [this] {
    return generated_tokens() - spec.control->acknowledged.load(std::memory_order_seq_cst);
  };
  if (unread() <= kUnreadTokensAllowed) return false;
  spec.control->wants_wake.store(true, std::memory_order_seq_cst);
  return unread() > kUnreadTokensAllowed;
}

}  // namespace infernode
