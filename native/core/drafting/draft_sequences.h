// The sequences of a draft model: which request each belongs to, and which tokens are computed in
// it. It is not notified when the engine moves, truncates or forks a sequence: it compares the
// computed tokens with a request's known ones and keeps the common prefix. If too many are missing,
// a sequence starts from the last tokens only; older text is found by prompt lookup. Engine thread
// only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/backend.h"
#include "core/types.h"
#include "speculation.h"

namespace infernode {

// A request as the draft model sees it: its known tokens, of which the last is its next decode row.
struct DraftRequest {
  RequestId request;
  std::span<const TokenId> known;
};

class DraftSequences {
 public:
  static constexpr std::size_t kMostRead = 512;  // missing tokens; more are not computed
  static constexpr std::size_t kTail = 128;      // last tokens that are computed instead

  // The backend outlives this.
  explicit DraftSequences(Backend& backend);

  std::size_t most_drafted() const;
  // Tokens that would have to be computed before drafting for this request.
  std::size_t lag(const DraftRequest& request) const;

  // A request's sequence, and all tokens that it must hold.
  struct Assigned {
    SequenceId sequence;
    std::vector<TokenId> text;
  };
  // One sequence for each of these requests, truncated to the common prefix; at most as many as the
  // backend has.
  std::vector<Assigned> assign(std::span<const DraftRequest> requests);
  // Tokens of the text that are not computed.
  std::size_t missing(const Assigned& assigned) const {
    return assigned.text.size() - length(assigned.sequence);
  }
  std::size_t length(SequenceId sequence) const { return at(sequence).tokens.size(); }

  // Truncates to `length` tokens; clears the sequence where the backend cannot truncate there.
  void truncate(SequenceId sequence, std::size_t length);
  // The sequence is used now.
  void use(SequenceId sequence) { at(sequence).last_used = ++uses_; }
  // The backend has computed these tokens at the end of the sequence.
  void append(SequenceId sequence, std::span<const TokenId> tokens);
  // The request has ended: what was computed for it may serve one with the same prefix.
  void release(RequestId request);
  // Proves that the backend holds as many positions as the books say. Throws BrokenInvariant.
  void check() const;

 private:
  // Tokens of a request from `skipped` on, preceded by its first one: models depend on how a text
  // begins.
  struct Sequence {
    RequestId owner = 0;
    bool owned = false;
    std::size_t skipped = 0;
    std::vector<TokenId> tokens;  // computed
    std::uint64_t last_used = 0;
  };
  struct Choice {
    SequenceId sequence = kNoSequence;
    std::size_t skipped = 0;
    std::size_t common = 0;  // tokens of it that stay
  };

  Sequence& at(SequenceId sequence) { return sequences_.at(static_cast<std::size_t>(sequence)); }
  const Sequence& at(SequenceId sequence) const {
    return sequences_.at(static_cast<std::size_t>(sequence));
  }
  std::size_t common_prefix(const Sequence& sequence, std::span<const TokenId> known) const;
  Choice choose(const DraftRequest& request, const std::vector<SequenceId>& taken) const;

  Backend& backend_;
  const BackendLimits limits_;
  std::vector<Sequence> sequences_;
  std::uint64_t uses_ = 0;
};

}  // namespace infernode
