// Divides the rows that requests want computed into passes. StreamPlanner makes rectangular passes,
// as a stream of cells per sequence wants them; PoolPlanner passes of any rows, as one pool of
// cells allows them. Which requests run is Scheduler's decision; a planner only divides their rows.
// Engine thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "core/drafting/speculation.h"
#include "request.h"

namespace infernode {

struct DecodeRow {
  BatchRow row;
  Request* request;  // nullptr: padding, a row of no request
};

// The next row of a request that generates.
inline DecodeRow decode_row(Request& request) {
  const Progress& progress = request.progress;
  return {{progress.known.back(), progress.sequence, progress.computed}, &request};
}

// The next `count` rows of a request in a pass.
struct PassShare {
  Request* request;
  std::int32_t count;
};
using PassShares = std::vector<PassShare>;

class Planner {
 public:
  virtual ~Planner() = default;

  // A move of a request to another sequence that saves padding in decode passes; none when padding
  // is cheaper.
  [[nodiscard]] virtual std::optional<SlotMove> next_move() const = 0;
  // The rows of one decode pass, sequence ids ascending: one for each request that generates, and
  // padding.
  virtual std::vector<DecodeRow> decode_rows() const = 0;
  // How many draft tokens per request there is room for in one pass, if so many requests have
  // their next rows in it. May evict idle prefixes.
  virtual std::size_t most_drafted(std::size_t requests) = 0;

  // One pass of these decode rows and of at most `budget` prompt rows. Empty where decode rows and
  // prompt rows are computed in passes of their own. May evict idle prefixes.
  virtual PassShares joint_pass(std::span<const DecodeRow> rows, std::int32_t budget) = 0;
  // True: prompt_passes() does not call the backend, and no decode pass that succeeds changes what
  // it returns, so that it can be called while one is computed.
  [[nodiscard]] virtual bool plans_ahead() const = 0;
  // Passes of prompt rows, at most `budget` in all. May evict idle prefixes.
  virtual std::vector<PassShares> prompt_passes(std::int32_t budget) = 0;
};

}  // namespace infernode
