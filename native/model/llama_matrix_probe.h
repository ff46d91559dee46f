// How fast a device of this machine multiplies matrices: measured with ggml's own routines
// on matrices of a given type and width, in the memory layout that a load would choose. For
// estimates before a model is loaded. Any thread may call; cores must be idle for a true figure.
#pragma once

#include <cstdint>
#include <string>

namespace infernode {

struct MatrixProbe {
  std::uint32_t type = 0;    // ggml's number
  std::int64_t columns = 0;  // inputs; a multiple of the type's block
  std::int32_t batch = 1;    // vectors multiplied at once, 1 to 512
  std::int32_t threads = 1;  // 1 to 512
  std::uint64_t bytes = 0;   // of all matrices together, so that caches hold what they would
  std::int64_t rows = 512;   // of one matrix; more where starting a multiplication takes long
  std::string device;        // as llama_devices() names it; "": the CPU
};

// Seconds per weight and pass, the best of several passes. Takes a quarter of a second or so and
// `bytes` of memory, 16 MiB to 256 MiB. start_llama_runtime() must have succeeded. Throws
// Error(kInvalidOption) for a type, width or device that ggml does not have, Error(kOutOfMemory).
double probe_matrices(const MatrixProbe& probe);

}  // namespace infernode
