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

#ifdef INFERNODE_TILES
// Whether matrices of this ggml_type are brought into ggml's layout for AMX at load, of which
// panels are made (packed_panels.h). For one row that is faster than the file's layout.
[[nodiscard]] bool computes_packed(int type);

// The same product of weights in that layout, whose batch is contiguous.
[[nodiscard]] bool multiply_packed(const ggml_compute_params& params, std::int64_t m,
                                   std::int64_t n, std::int64_t k, const void* a, const void* b,
                                   float* c, std::int64_t ldc, int type);
#endif

}  // namespace infernode_panels
