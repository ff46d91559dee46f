// The CPU backend that is loaded, as the engine uses it, for one operation of ggml at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "check.h"
#include "ggml-backend.h"
#include "ggml.h"
#include "model/llama_runtime.h"

namespace infernode {

// A result and what it is computed from.
struct CpuOperation {
  struct Input {
    ggml_tensor* tensor;
    const void* data;
  };
  ggml_tensor* out;
  std::vector<Input> inputs;
};

class CpuBackend {
 public:
  CpuBackend() {
    start_llama_runtime(INFERNODE_TEST_BACKENDS);
    ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    CHECK(device != nullptr);
    backend_.reset(ggml_backend_dev_init(device, nullptr));
    registry_ = ggml_backend_dev_backend_reg(device);
  }

  // The values of the operation `build` makes in the context it is given; `upstream`: by
  // ggml's reference routines.
  template <typename Build>
  std::vector<float> run(int threads, bool upstream, const Build& build) {
    call<void(ggml_backend_t, int)>("ggml_backend_set_n_threads")(backend_.get(), threads);
    call<void(ggml_backend_t, bool)>("ggml_backend_cpu_set_use_ref")(backend_.get(), upstream);
    const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(
        ggml_init({1 << 20, nullptr, true}), ggml_free);
    const CpuOperation operation = build(context.get());
    ggml_cgraph* graph = ggml_new_graph(context.get());
    ggml_build_forward_expand(graph, operation.out);
    const std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)> buffer(
        ggml_backend_alloc_ctx_tensors(context.get(), backend_.get()), ggml_backend_buffer_free);
    for (const auto& [tensor, data] : operation.inputs)
      ggml_backend_tensor_set(tensor, data, 0, ggml_nbytes(tensor));
    CHECK(ggml_backend_graph_compute(backend_.get(), graph) == GGML_STATUS_SUCCESS);
    std::vector<float> found(static_cast<std::size_t>(ggml_nelements(operation.out)));
    ggml_backend_tensor_get(operation.out, found.data(), 0, ggml_nbytes(operation.out));
    return found;
  }

 private:
  template <typename Function>
  Function* call(const char* name) {
    auto* found = reinterpret_cast<Function*>(ggml_backend_reg_get_proc_address(registry_, name));
    CHECK(found != nullptr);
    return found;
  }

  std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)> backend_{nullptr, ggml_backend_free};
  ggml_backend_reg_t registry_ = nullptr;
};

}  // namespace infernode
