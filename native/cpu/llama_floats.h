// Matrices of 16-bit floats times a batch of 32-bit ones (float_kernels.h, amx_floats.h).
#pragma once

#include "measured_sets.h"

namespace infernode_floats {

// Whether matrices of this ggml_type are multiplied here.
[[nodiscard]] bool computes(int type);

}  // namespace infernode_floats
