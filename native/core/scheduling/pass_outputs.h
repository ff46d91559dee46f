// Turns the logits of a computed pass into tokens, accepted draft tokens or embeddings of its
// requests. Engine thread only.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <utility>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "core/drafting/drafting.h"
#include "core/sampling/row_workers.h"
#include "core/sampling/token_chooser.h"
#include "endings.h"
#include "pass.h"
#include "request.h"

namespace infernode {

class PassOutputs {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // All of them outlive this.
  struct Parts {
    Backend& backend;
    RowWorkers& workers;
    const TokenChooser& chooser;
    Drafting& drafting;
    KvCache& cache;
    Endings& endings;
  };
  PassOutputs(const Parts& parts, Clock clock) : parts_(parts), clock_(std::move(clock)) {}

  // A decode pass: each request gets its next token, or ends with its embedding.
  void decoded(std::span<const ReadyRow> rows);
  // A pass with draft tokens after each of these rows: each request gets its tokens up to the first
  // that differs from its draft.
  void verified(std::span<const ReadyRow> rows);
  // Chooses the next tokens of requests whose known tokens are all computed.
  void sample(std::span<const ReadyRow> rows);

  double ms() const { return ms_; }  // in the choice of tokens, so far

 private:
  void accept_drafted(Request& request, std::size_t first);

  const Parts parts_;
  const Clock clock_;
  double ms_ = 0;
};

}  // namespace infernode
