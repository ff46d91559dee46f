// Quantized matrices times a batch by panels (panel_kernels.h), on CPUs with AVX-512 VNNI or AVX2.
// Called by every thread of a pass, with the same arguments.
#pragma once

#include <cstdint>

#include "measured_sets.h"

struct ggml_compute_params;

namespace infernode_panels {

#ifdef INFERNODE_PANELS
// Whether matrices of this ggml_type are multiplied by panels.
[[nodiscard]] bool computes(int type);

// Arguments as of llamafile_sgemm. False: an unsupported type or nothing to compute; nothing was
// done.
[[nodiscard]] bool multiply(const ggml_compute_params& params, std::int64_t m, std::int64_t n,
                            std::int64_t k, const void* a, std::int64_t lda, const void* b,
                            std::int64_t ldb, float* c, std::int64_t ldc, int a_type, int b_type);
#endif

}  // namespace infernode_panels
