// How the threads of a pass share a product: in turns, each some weight rows times some batch
// rows. All threads get several, so that one that is held up leaves its share to the others.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ggml-cpu-impl.h"

namespace infernode_turns {

constexpr std::int64_t kWeightRows = 16;       // weight rows of a turn are a multiple of it
constexpr std::int64_t kMostWeightRows = 256;  // of a turn
constexpr std::int64_t kTurns = 4;             // of each thread in a product

// Weight rows [from, to) times `columns` batch rows from j on. `leap`: weight rows from `to` to
// where this thread is likely to go on.
struct Turn {
  std::int64_t j, columns;
  std::int64_t from, to, leap;
};

inline std::int64_t weight_rows(std::int64_t m, std::int64_t threads) {
  const std::int64_t share = m / (threads * kTurns) / kWeightRows * kWeightRows;
  const std::int64_t least = std::min(kWeightRows, (m + threads - 1) / threads);
  return std::clamp(share, least, kMostWeightRows);
}

// This thread's turns of m weight rows times n batch rows, `most` of these at a time: `take` is
// called with each. Turns are handed out by the counter ggml resets before each operation. Of
// several products in one operation only the first, whose batch begins the work buffer, finds
// it fresh; the others' turns go round.
template <typename Take>
void share_out(const ggml_compute_params& params, std::int64_t m, std::int64_t n, std::int64_t most,
               const void* batch, const Take& take) {
  const bool counted = batch == params.wdata;
  const std::int64_t rows = weight_rows(m, params.nth);
  const std::int64_t shares = (m + rows - 1) / rows;
  const std::int64_t turns = shares * ((n + most - 1) / most);
  for (std::int64_t turn = params.ith; turn < turns;) {
    const std::int64_t j = turn / shares * most;
    const std::int64_t from = turn % shares * rows;
    take(Turn{j, std::min(most, n - j), from, std::min(from + rows, m), (params.nth - 1) * rows});
    turn = counted ? ggml_threadpool_chunk_add(params.threadpool, 1) : turn + params.nth;
  }
}

}  // namespace infernode_turns
