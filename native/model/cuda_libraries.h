// NVIDIA's libraries that a CUDA backend needs: found and opened by absolute path before the
// backend, so that they need not be where the dynamic linker looks, and so that their absence
// has a sentence. Also what the driver says of the machine's GPUs. What is opened
// stays open. Any thread may call these.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace infernode {

// Opens the CUDA runtime and cuBLAS as the library at `path` needs them, cublasLt first, which
// cublas needs. Looked for in this order: the folder of `path`; the folder or folders that the
// variable INFERNODE_CUBLAS names; those of CUDA toolkits (CUDA_HOME, CUDA_PATH, /usr/local);
// pip's packages in the active Python environment; where the dynamic linker looks.
// Returns "", or a sentence that names what is missing or does not open.
std::string open_cuda_libraries(const std::string& path);

// The folders that open_cuda_libraries() looks in by itself, those that exist only.
std::vector<std::string> cuda_library_folders(const std::string& own_folder);

struct NvidiaGpu {
  std::string name;
  std::int32_t major = 0;  // compute capability
  std::int32_t minor = 0;
  std::uint64_t memory_total = 0;
};

// What libcuda.so.1 tells: the driver that a CUDA backend will use.
struct NvidiaDriver {
  std::string problem;          // why there is no GPU to use; "": there is one
  std::int32_t version = 0;     // CUDA version it supports, 13000 for 13.0; 0: unknown
  std::vector<NvidiaGpu> gpus;  // in the order of CUDA's devices
};

// Asked once and remembered: the first call may take some hundred milliseconds.
const NvidiaDriver& nvidia_driver();

}  // namespace infernode
