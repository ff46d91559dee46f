// At load ggml copies matrices of some types into another layout ("repacks" them), for which it has
// routines. Types with panels (llama_panels.h) keep the file's layout: panels are faster, a row's
// result does not depend on how many rows are computed, and the mapped file is the only copy.
// Matrices of experts, which panels do not compute, are still repacked.
#include "ggml.h"
#include "llama_floats.h"
#include "llama_panels.h"

// Replaces ggml_n_dims() where ggml decides whether to repack a matrix: a matrix that reports
// neither two nor three dimensions is left as it is.
extern "C" int infernode_repacked_dimensions(const ggml_tensor* tensor) {
  const int dimensions = ggml_n_dims(tensor);
#ifdef INFERNODE_PANELS
  if (dimensions == 2 && infernode_panels::computes(tensor->type)) return 0;
#endif
  return dimensions;
}

#if defined(__AMX_INT8__) && defined(__AVX512VNNI__)
// Replaces ggml_is_contiguous() where ggml decides whether a product's weights are brought into the
// layout of its AMX routines.
extern "C" bool infernode_amx_is_contiguous(const ggml_tensor* tensor) {
#ifdef INFERNODE_TILES
  using namespace infernode_panels;
  const bool ours = (computes(tensor->type) && !computes_packed(tensor->type)) ||
                    infernode_floats::computes(tensor->type);
  if (ggml_n_dims(tensor) <= 2 && ours) return false;
#endif
  return ggml_is_contiguous(tensor);
}
#endif
