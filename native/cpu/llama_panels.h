// Quantized matrices times a batch by panels (panel_kernels.h), where the CPU has AVX-512 with
// VNNI, or AVX2. Every thread of a pass, with the same arguments.
#pragma once

#include <cstdint>

#include "measured_sets.h"

struct ggml_compute_params;

namespace infernode_panels {

#ifdef INFERNODE_PANELS
// Whether matrices of this type are multiplied by panels, a ggml_type.
[[nodiscard]] bool computes(int type);

// As llamafile_sgemm. False: other types, or nothing to compute; nothing was done.
[[nodiscard]] bool multiply(const ggml_compute_params& params, std::int64_t m, std::int64_t n,
                            std::int64_t k, const void* a, std::int64_t lda, const void* b,
                            std::int64_t ldb, float* c, std::int64_t ldc, int a_type, int b_type);
#endif

}  // namespace infernode_panels
