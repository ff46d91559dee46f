// Counts what llama.cpp really computes: the executable that includes this
// header (once) defines ggml's graph computation itself, libllama's calls come
// here first, are written down and passed on. What is written down is the
// graph's own: rows of its token input and of its output selection.
// One thread at a time.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <vector>

#include "ggml-backend.h"
#include "ggml.h"

namespace infernode {

struct ComputedGraph {
  std::int64_t rows;     // tokens it takes in
  std::int64_t outputs;  // rows of logits it gives
};

inline std::vector<ComputedGraph>& computed_graphs() {
  static std::vector<ComputedGraph> graphs;
  return graphs;
}

inline std::int64_t length_of(ggml_cgraph* graph, const char* tensor_name) {
  const ggml_tensor* tensor = ggml_graph_get_tensor(graph, tensor_name);
  return tensor == nullptr ? 0 : tensor->ne[0];
}

}  // namespace infernode

extern "C" __attribute__((visibility("default"))) ggml_status
ggml_backend_sched_graph_compute_async(ggml_backend_sched_t scheduler, ggml_cgraph* graph) {
  using Function = ggml_status(ggml_backend_sched_t, ggml_cgraph*);
  static auto* const real =
      reinterpret_cast<Function*>(dlsym(RTLD_NEXT, "ggml_backend_sched_graph_compute_async"));
  infernode::computed_graphs().push_back(
      {infernode::length_of(graph, "inp_tokens"), infernode::length_of(graph, "out_ids")});
  return real(scheduler, graph);
}
