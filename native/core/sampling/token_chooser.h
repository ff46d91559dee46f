// Turns a row of logits into a request's next token: masks forbidden tokens, lets the request's
// sampler choose, and appends the token's text, which a stop string may end. Immutable: rows of
// different requests may be processed on different threads.
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
  TokenId token = kNoToken;  // kNoToken: no token can be chosen
  bool ends_generation = false;
  bool complete = false;  // the request's grammar allows no more text
  bool masked = false;    // the grammar refused the token that was drawn first
  std::optional<Failure> failure;
  TextStream::Step text;
  std::shared_ptr<const LogProbs> log_probs;
};

class TokenChooser {
 public:
  explicit TokenChooser(std::shared_ptr<const Vocab> vocab);

  // Overwrites some of the logits. Feeds the token to the request's sampler and text, and does not
  // append it to its known tokens. An error is returned as the choice's failure.
  TokenChoice choose(Request& request, std::span<float> logits, SamplerScratch& scratch) const;

  // The texts of a request's tokens.
  const Vocab& vocab_of(const Request& request) const {
    return request.spec.params.vocab ? *request.spec.params.vocab : *vocab_;
  }

 private:
  void choose(Request& request, std::span<float> logits, SamplerScratch& scratch,
              TokenChoice& choice) const;
  [[nodiscard]] bool ends_generation(const Request& request, TokenId token) const;
  void apply_constraint(Request& request, std::span<float> logits, SamplerScratch& scratch,
                        TokenChoice& choice) const;
  void mask(const Request& request, std::span<float> logits, const SamplerScratch& scratch) const;
  // Masks the tokens that the request forbids, whatever its grammar allows.
  void forbid(const Request& request, std::span<float> logits) const;
  void forbid_ends(const Request& request, std::span<float> logits) const;

  std::shared_ptr<const Vocab> vocab_;
  std::vector<TokenId> end_tokens_;
};

}  // namespace infernode
