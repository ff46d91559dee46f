// One operation of ggml at a time on a CPU backend: on the one the engine computes with, or on
// its twin without our routines (cmake/InfernodeCpuKernels.cmake), which is what llama.cpp
// itself computes.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "ggml-backend-impl.h"
#include "ggml-backend.h"
#include "ggml.h"
#include "model/llama_runtime.h"

namespace infernode {

// The library of a CPU backend.
class CpuLibrary {
 public:
  static CpuLibrary loaded() {
    start_llama_runtime(INFERNODE_TEST_BACKENDS);
    ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (device == nullptr) throw std::runtime_error("no CPU backend is loaded");
    ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(device);
    Dl_info found{};
    void* function = ggml_backend_reg_get_proc_address(registry, "ggml_backend_set_n_threads");
    if (dladdr(function, &found) == 0) throw std::runtime_error("the CPU backend has no file");
    return {open(found.dli_fname), registry};
  }

  // Of the same instruction sets as the loaded one.
  static CpuLibrary unmodified() {
    const std::string path = loaded().path();
    void* library = open(INFERNODE_TEST_BACKENDS "/unmodified" + path.substr(path.rfind('/')));
    const auto init = reinterpret_cast<ggml_backend_init_t>(dlsym(library, "ggml_backend_init"));
    if (init == nullptr) throw std::runtime_error("the unmodified library is no backend");
    return {library, init()};
  }

  // An exported function; null: there is none of this name.
  template <typename Function>
  Function* function(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(library_, name));
  }

  // Whether panels multiply weights of this type (native/cpu).
  bool has_panels(ggml_type type) const { return names("panels of ", type); }
  // Whether sums of weights of this type are taken in an order of our own.
  bool has_own_sums(ggml_type type) const {
    return has_panels(type) || names("products of ", type);
  }

  ggml_backend_reg_t registry() const { return registry_; }

 private:
  // Whether the line of the library's routines that begins so names the type.
  bool names(std::string_view beginning, ggml_type type) const {
    auto* routines = function<const char*()>("infernode_cpu_kernels");
    if (routines == nullptr) return false;
    const std::string_view all(routines());
    const std::size_t begin = all.find(beginning);
    if (begin == std::string_view::npos) return false;
    const std::string_view line = all.substr(begin, all.find('\n', begin) - begin);
    return line.find(std::string(" ") + ggml_type_name(type)) != std::string_view::npos;
  }

  CpuLibrary(void* library, ggml_backend_reg_t registry) : library_(library), registry_(registry) {}

  static void* open(const std::string& path) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(dlerror());
    return library;
  }

  std::string path() const {
    Dl_info found{};
    if (dladdr(dlsym(library_, "ggml_backend_init"), &found) == 0)
      throw std::runtime_error("the CPU backend has no file");
    return found.dli_fname;
  }

  void* library_;
  ggml_backend_reg_t registry_;
};

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
  explicit CpuBackend(const CpuLibrary& library = CpuLibrary::loaded())
      : backend_(ggml_backend_dev_init(ggml_backend_reg_dev_get(library.registry(), 0), nullptr),
                 ggml_backend_free),
        set_threads_(reinterpret_cast<ggml_backend_set_n_threads_t>(
            ggml_backend_reg_get_proc_address(library.registry(), "ggml_backend_set_n_threads"))) {
    CHECK(backend_ != nullptr && set_threads_ != nullptr);
  }

  // The values of the operation `build` makes in the context it is given. The first input is in
  // memory of the type `weights`, if there is one.
  template <typename Build>
  std::vector<float> run(int threads, const Build& build,
                         ggml_backend_buffer_type_t weights = nullptr) {
    set_threads_(backend_.get(), threads);
    const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(
        ggml_init({1 << 20, nullptr, true}), ggml_free);
    const CpuOperation operation = build(context.get());
    ggml_cgraph* graph = ggml_new_graph(context.get());
    ggml_build_forward_expand(graph, operation.out);
    std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)> own(
        nullptr, ggml_backend_buffer_free);
    if (weights != nullptr) {
      ggml_tensor* const first = operation.inputs.front().tensor;
      own.reset(ggml_backend_buft_alloc_buffer(weights,
                                               ggml_backend_buft_get_alloc_size(weights, first)));
      CHECK(own != nullptr);
      CHECK(ggml_backend_tensor_alloc(own.get(), first, ggml_backend_buffer_get_base(own.get())) ==
            GGML_STATUS_SUCCESS);
    }
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
  std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)> backend_;
  ggml_backend_set_n_threads_t set_threads_;
};

}  // namespace infernode
