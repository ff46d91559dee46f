// Tables of plain numbers in a checkpoint, one per row and group: scales, and the scaled zero
// points of gemv_fast. F16, BF16 or F32, converted to float; the caller validates the values. Pure
// except for reading; any thread.
#pragma once

#include <cstddef>

#include "checkpoint/checkpoint_folder.h"

namespace infernode {

struct NumberTable {
  const StoredTensor* tensor = nullptr;  // two-dimensional
  bool rows_first = false;               // [rows][>= groups], else [>= groups][rows]
};

// Fills [count][groups] with the numbers of rows [first, first + count). Throws
// CheckpointFolder::read()'s errors.
void read_numbers(const CheckpointFolder& folder, const NumberTable& table, std::size_t first,
                  std::size_t count, std::size_t groups, float* numbers);

}  // namespace infernode
