// A second, smaller model that drafts tokens greedily: runs its passes, in sequences of its own
// (DraftSequences), and picks the likeliest token of each row. Engine thread only.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/backend.h"
#include "core/sampling/sampler_kernels.h"
#include "core/types.h"
#include "draft_sequences.h"
#include "speculation.h"

namespace infernode {

class DraftModel {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  static constexpr std::size_t kMostVerified = 16;

  // `meanwhile` is called while a pass is computed, where the backend is asynchronous.
  DraftModel(
      std::unique_ptr<Backend> backend, Clock clock, std::function<void()> meanwhile = [] {});

  // The longest draft.
  std::size_t most() const { return sequences_.most_drafted(); }
  // Tokens it would have to compute before it could draft for this request.
  std::size_t lag(const DraftRequest& request) const { return sequences_.lag(request); }

  // Drafts `length` tokens for each request; at most as many requests as the backend has sequences.
  // Empty: a pass failed, and the requests' sequences are cleared unless the backend is lost.
  std::vector<std::vector<TokenId>> draft(std::span<const DraftRequest> requests,
                                          std::size_t length);
  // Computes up to the last token but one, and reports of the `last` ones in order whether they are
  // what it would have drafted. Empty: a pass failed.
  std::vector<bool> verify(const DraftRequest& request, std::size_t last);

  // A pass ended as kLost. Then only release(), interrupt(), check() and the figures may be asked.
  [[nodiscard]] bool lost() const { return lost_; }

  // The request has ended.
  void release(RequestId request) { sequences_.release(request); }

  // Milliseconds of a pass of one row for so many, and of a row that is read; 0: not known.
  double pass_ms(std::size_t requests) const { return pass_ms_.at(requests); }
  double row_ms() const { return row_ms_; }
  std::int64_t passes() const { return passes_; }

  void interrupt() { backend_->interrupt(); }
  // Checks the positions of its sequences, unless the backend is lost. Throws BrokenInvariant.
  void check() const {
    if (!lost_) sequences_.check();
  }

 private:
  using Assigned = DraftSequences::Assigned;
  // A sequence of a pass; nullptr: it is padded.
  struct Column {
    SequenceId sequence;
    const Assigned* request;
  };
  using Columns = std::vector<Column>;

  DecodeStatus run(const PassRows& pass);
  [[nodiscard]] bool catch_up(const std::vector<Assigned>& requests, std::size_t left);
  [[nodiscard]] bool prefill(const Assigned& request, std::size_t end, bool wants_logits);
  Columns columns_of(const std::vector<Assigned>& requests, std::size_t width);
  [[nodiscard]] bool decode(const std::vector<Assigned>& requests, std::size_t width);
  TokenId likeliest(std::size_t row);

  std::unique_ptr<Backend> backend_;
  const Clock clock_;
  const std::function<void()> meanwhile_;
  const BackendLimits limits_;
  const SamplerKernels& kernels_;
  std::vector<float> maxima_;
  DraftSequences sequences_;
  std::array<double, kMostSpeculating + 1> pass_ms_{};
  double row_ms_ = 0;
  std::int64_t passes_ = 0;
  bool lost_ = false;
};

}  // namespace infernode
