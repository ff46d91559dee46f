// States that cannot be truncated: recurrent ones, and those of sliding windows, whose older
// positions are overwritten. Such a state can only be reused by a request that has all its tokens
// as a prefix, so it is saved to host memory at positions from which another request is likely to
// continue: at the end of each prompt, short of the last tokens, which are always computed, and
// where a prompt diverges from another one. Prefill stops at these checkpoints. Where states can be
// truncated, requests have no checkpoints.
// Engine thread only.
#pragma once

#include <span>
#include <string>

#include "core/backend.h"
#include "core/scheduling/request.h"
#include "core/types.h"
#include "host_tier.h"
#include "kv_store.h"
#include "prefix_reuse.h"
#include "sequence_table.h"

namespace infernode {

class Checkpoints {
 public:
  // All of them outlive this.
  struct Parts {
    const SequenceTable& sequences;
    const PrefixReuse& reuse;
    const KvStore& store;
    HostTier& host;
  };
  Checkpoints(const BackendLimits& limits, const Parts& parts) : limits_(limits), parts_(parts) {}

  // Plans where the prefill of a request will stop, before it gets a sequence; an older request
  // that computes the same beginning will stop where the two part.
  void plan(Request& request) const;
  // The request's computed tokens were reused: drops the checkpoints behind them, and those too
  // near for the piece before them to be rounded as part of a longer one.
  void drop_passed(Request& request) const;
  // More of the request's prompt is computed: saves its state if it stands at a checkpoint.
  void reached(Request& request) const;
  // A fork gets a copy of its source's state, which is gone before the fork has a sequence: the
  // fork waits as a preempted request does. False: there is nothing to copy, or no need to.
  [[nodiscard]] bool copy_to_fork(const Request& source, Request& fork) const;
  // The longest saved state that the prompt begins with, if it has nearly all of it.
  CachedState nearest(std::span<const TokenId> prompt, const std::string& salt) const;

 private:
  void add_to_older(const Request& request) const;
  [[nodiscard]] bool worth_saving(const Request& request) const;

  const BackendLimits& limits_;
  const Parts parts_;
};

}  // namespace infernode
