// One row of logits becomes one request's next token: what must not come is
// forbidden, the request's sampler chooses, and the token's text is what its
// stop strings leave of it.
// Immutable: rows of different requests may be chosen on different threads.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/backend.h"
#include "core/scheduling/request.h"
#include "log_probs.h"

namespace infernode {

struct TokenChoice {
  TokenId token = kNoToken;  // kNoToken: the row offers no choice
  bool ends_generation = false;
  bool complete = false;  // nothing may follow by the request's constraint
  bool masked = false;    // the constraint refused what was drawn first
  std::optional<Failure> failure;
  TextStream::Step text;
  std::shared_ptr<const LogProbs> log_probs;
};

class TokenChooser {
 public:
  explicit TokenChooser(std::shared_ptr<const Vocab> vocab);

  // Overwrites some of the logits. The request's sampler and text go on by the
  // token; its known tokens do not. What goes wrong is the choice's failure.
  TokenChoice choose(Request& request, std::span<float> logits, SamplerScratch& scratch) const;

  // The texts of a request's tokens.
  const Vocab& vocab_of(const Request& request) const {
    return request.spec.params.vocab ? *request.spec.params.vocab : *vocab_;
  }

 private:
  void choose(Request& request, std::span<float> logits, SamplerScratch& scratch,
              TokenChoice& choice) const;
  [[nodiscard]] bool ends_generation(const Request& request, TokenId token) const;
  void obey(Request& request, std::span<float> logits, SamplerScratch& scratch,
            TokenChoice& choice) const;
  void mask(const Request& request, std::span<float> logits, const SamplerScratch& scratch) const;
  // Forbids what the request itself rules out, whatever its constraint allows.
  void forbid(const Request& request, std::span<float> logits) const;
  void forbid_ends(const Request& request, std::span<float> logits) const;

  std::shared_ptr<const Vocab> vocab_;
  std::vector<TokenId> end_tokens_;
};

}  // namespace infernode
