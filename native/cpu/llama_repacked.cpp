// ggml copies matrices of some types into an order of its own at load ("repacks" them) and has
// routines for that. Types that have panels (llama_panels.h) keep the order of the file: panels are
// faster, a row alone has the bits it has among others, and the mapped file is the only copy.
// Matrices of experts, which panels do not compute, are repacked as ever.
#include "ggml.h"
#include "llama_panels.h"

// In place of ggml_n_dims() where ggml asks whether it repacks a matrix: one that it finds to have
// neither two dimensions nor three stays as it is.
extern "C" int infernode_repacked_dimensions(const ggml_tensor* tensor) {
  const int dimensions = ggml_n_dims(tensor);
#ifdef INFERNODE_PANELS
  if (dimensions == 2 && infernode_panels::computes(tensor->type)) return 0;
#endif
  return dimensions;
}
