// A second, smaller model that drafts tokens greedily, in sequences of its own. It is not notified
// when the engine moves, truncates or forks a sequence: before it drafts, it compares the tokens it
// has computed with the request's known tokens, keeps the common prefix and computes the rest. If
// that is too much, it starts from the last tokens only; older text is found by prompt lookup.
// Engine thread only.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/backend.h"
#include "core/sampling/sampler_kernels.h"
#include "core/types.h"
#include "speculation.h"

namespace infernode {

// A request as the draft model sees it: its known tokens, of which the last is its next decode row.
struct DraftReader {
  RequestId request;
  std::span<const TokenId> known;
};

class DraftModel {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  static constexpr std::size_t kMostRead = 512;  // missing tokens; more are not computed
  static constexpr std::size_t kTail = 128;      // last tokens that are computed instead
  static constexpr std::size_t kMostJudged = 16;

  // `meanwhile` is called while a pass is computed, where the backend is asynchronous.
  DraftModel(
      std::unique_ptr<Backend> backend, Clock clock, std::function<void()> meanwhile = [] {});

  // The longest draft.
  std::size_t most() const;
  // Tokens it would have to compute before it could draft for this request.
  std::size_t lag(const DraftReader& reader) const;

  // Drafts `length` tokens for each reader; at most as many readers as the backend has sequences.
  // Empty: a pass failed, and the readers' sequences are cleared.
  std::vector<std::vector<TokenId>> draft(std::span<const DraftReader> readers, std::size_t length);
  // Reads on up to the last token but one, and says of the `last` ones in order whether they
  // are what it would have guessed. Empty: a pass failed.
  std::vector<bool> judge(const DraftReader& reader, std::size_t last);

  // The request has ended: what was computed for it may serve one that begins alike.
  void leave(RequestId request);

  // Milliseconds of a pass of one row for so many, and of a row that is read; 0: not known.
  double pass_ms(std::size_t readers) const { return pass_ms_.at(readers); }
  double row_ms() const { return row_ms_; }
  std::int64_t passes() const { return passes_; }

  void interrupt() { backend_->interrupt(); }
  // Proves that the backend holds what is thought to be there. Throws BrokenInvariant.
  void check() const;

 private:
  // Tokens of a request from `skipped` on, but for its first one, which stays:
  // models lean on how a text begins.
  struct Sequence {
    RequestId owner = 0;
    bool owned = false;
    std::size_t skipped = 0;
    std::vector<TokenId> tokens;  // computed
    std::uint64_t last_used = 0;
  };
  struct Place {
    SequenceId sequence = kNoSequence;
    std::size_t skipped = 0;
    std::size_t agreed = 0;  // tokens of it that stay
  };
  // A reader while something is computed for it.
  struct Reading {
    SequenceId sequence;
    std::vector<TokenId> text;  // all its sequence is to hold
  };

  Sequence& at(SequenceId sequence) { return sequences_.at(static_cast<std::size_t>(sequence)); }
  std::size_t agreement(const Sequence& sequence, std::span<const TokenId> known) const;
  Place place_for(const DraftReader& reader, const std::vector<SequenceId>& taken) const;
  std::vector<Reading> settle(std::span<const DraftReader> readers);
  std::size_t missing(const Reading& reading) const;
  void cut(SequenceId sequence, std::size_t length);
  [[nodiscard]] bool catch_up(std::vector<Reading>& readings, std::size_t left);
  [[nodiscard]] bool read(const Reading& reading, std::size_t end, bool judges);
  [[nodiscard]] bool pass(std::vector<Reading>& readings, std::size_t width);
  TokenId likeliest(std::size_t row);

  std::unique_ptr<Backend> backend_;
  const Clock clock_;
  const std::function<void()> meanwhile_;
  const BackendLimits limits_;
  const SamplerKernels& kernels_;
  std::vector<float> maxima_;
  std::vector<Sequence> sequences_;
  std::uint64_t uses_ = 0;
  std::array<double, kMostSpeculating + 1> pass_ms_{};
  double row_ms_ = 0;
  std::int64_t passes_ = 0;
};

}  // namespace infernode
