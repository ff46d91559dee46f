// How prompts are divided into pieces, one a pass, so that their rows are rounded alike: each piece
// of a prompt of wide_rows rows or more has wide_rows rows or more, whatever the budget of a step
// and however many rows are cached; each piece of a shorter prompt has fewer.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/types.h"

namespace infernode {

// Whether passes of at most `capacity` rows allow that. Where they have fewer than wide_rows rows,
// all pieces are narrow, and so alike too. In between, no pieces of a prompt of capacity + 1 rows
// are all wide: then pieces are as large as they may be, and the last one may be narrow. (An engine
// that is deterministic is not in between: its wide_rows is 2, its passes have 16 rows and more.)
constexpr bool pieces_alike(std::int32_t capacity, std::int32_t wide_rows) {
  return capacity < wide_rows || capacity >= 2 * wide_rows - 1;
}

// Rows of the next piece where `wanted` are asked for and the prompt has `gap` left: may exceed
// `wanted` by less than wide_rows twice, but neither `gap` nor `capacity`.
constexpr std::int32_t next_piece(std::int32_t wanted, std::int32_t gap, std::int32_t capacity,
                                  std::int32_t wide_rows) {
  const std::int32_t count = std::min({wanted, gap, capacity});
  if (gap < wide_rows || capacity < wide_rows || count == gap) return count;
  if (gap < 2 * wide_rows) return std::min(gap, capacity);
  return std::clamp(count, wide_rows, gap - wide_rows);
}

// How many of a prompt's first rows may be taken from a cache: the others are at least one piece.
constexpr Position most_cached(Position rows, std::int32_t wide_rows) {
  return rows - (rows >= wide_rows ? wide_rows : std::min(rows, 1));
}

}  // namespace infernode
