// How the threads of a pass share a product: in turns of some weight rows times some batch rows.
// Every thread gets several, so that a delayed thread leaves its share to the others.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ggml-cpu-impl.h"

namespace infernode_turns {

constexpr std::int64_t kWeightRows = 16;       // weight rows of a turn are a multiple of this
constexpr std::int64_t kMostWeightRows = 256;  // per turn
constexpr std::int64_t kTurns = 4;             // per thread and product

// Weight rows [from, to) times `columns` batch rows from j on. `leap`: the weight rows after `to`
// until where this thread is likely to continue.
struct Turn {
  std::int64_t j, columns;
  std::int64_t from, to, leap;
};

inline std::int64_t weight_rows(std::int64_t m, std::int64_t threads) {
  const std::int64_t share = m / (threads * kTurns) / kWeightRows * kWeightRows;
  const std::int64_t least = std::min(kWeightRows, (m + threads - 1) / threads);
  return std::clamp(share, least, kMostWeightRows);
}

// Calls `take` with each of this thread's turns of m weight rows times n batch rows, at most `most`
// of these at a time. Turns are counted by a counter that ggml resets before each operation. Of
// several products in one operation only the first finds it reset (`counted`; ggml puts its batch
// at the start of the work buffer); the turns of the others are assigned cyclically. Weight rows
// are divided at multiples of `together`.
template <typename Take>
void share_out(const ggml_compute_params& params, std::int64_t m, std::int64_t n, std::int64_t most,
               bool counted, const Take& take, std::int64_t together = 1) {
  const std::int64_t rows = (weight_rows(m, params.nth) + together - 1) / together * together;
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
