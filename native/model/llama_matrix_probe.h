// Measures how fast a device of this machine multiplies matrices, with ggml's own routines on
// matrices of a given type and width, in the memory layout that a load would choose. For estimates
// before a model is loaded. Any thread may call it; the figure is right only while the cores are
// otherwise idle.
#pragma once

#include <cstdint>
#include <string>

namespace infernode {

struct MatrixProbe {
  std::uint32_t type = 0;    // ggml's type number
  std::int64_t columns = 0;  // input size; a multiple of the type's block
  std::int32_t batch = 1;    // vectors multiplied at once, 1 to 512
  std::int32_t threads = 1;  // 1 to 512
  std::uint64_t bytes = 0;   // of all matrices together, so that caches behave as with a real model
  std::int64_t rows = 512;   // rows of one matrix; more where launching a multiplication is slow
  std::string device;        // a name from llama_devices(); "": the CPU
};

// Seconds per weight and pass, the best of several passes. Takes about a quarter of a second and
// `bytes` of memory, 16 MiB to 256 MiB. start_llama_runtime() must have succeeded. Throws
// Error(kInvalidOption) for a type, width or device that ggml does not support,
// Error(kOutOfMemory).
double probe_matrices(const MatrixProbe& probe);

}  // namespace infernode
