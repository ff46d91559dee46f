// Preconditions of the packers, shared by the reference and the vectorised ones; internal to
// packing.
#pragma once

#include <cstddef>

#include "checkpoint/grouped_rows.h"
#include "checkpoint/packing.h"

namespace infernode {

constexpr std::size_t kQ4KHead = 16;  // bytes before the quants of a super-block

// Throws Error(kModelCorrupt) for a scale, or scale * zero point, that f16 cannot represent, and
// BrokenInvariant for rows that the type cannot represent: choose_packing() must have excluded
// those.
void check_packable(const GroupedRows& rows, PackedType type, std::size_t out_bytes);

}  // namespace infernode
