// NVIDIA's libraries that a CUDA backend needs: found and opened by absolute path before the
// backend is loaded, so that they need not be on the dynamic linker's search path and a missing one
// is reported in a sentence. Also asks the driver about the machine's GPUs. Libraries stay open
// once opened. Any thread may call these functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace infernode {

// Opens the CUDA runtime and cuBLAS for the backend library at `path`; cublasLt is opened first
// because cublas needs it. Searched in this order: the folder of `path`; the folders named by the
// variable INFERNODE_CUBLAS; CUDA toolkits (CUDA_HOME, CUDA_PATH, /usr/local); pip's packages in
// the active Python environment; the dynamic linker's search path. Returns "", or a sentence that
// names the library that is missing or cannot be opened.
std::string open_cuda_libraries(const std::string& path);

// The folders that open_cuda_libraries() searches by default, as far as they exist.
std::vector<std::string> cuda_library_folders(const std::string& own_folder);

struct NvidiaGpu {
  std::string name;
  std::int32_t major = 0;  // compute capability
  std::int32_t minor = 0;
  std::uint64_t memory_total = 0;
};

// What libcuda.so.1 reports: the driver that a CUDA backend will use.
struct NvidiaDriver {
  std::string problem;          // why no GPU is usable; "" if one is
  std::int32_t version = 0;     // newest CUDA version it supports, 13000 for 13.0; 0: unknown
  std::vector<NvidiaGpu> gpus;  // in the order of CUDA's devices
};

// Queried once and cached: the first call may take some hundred milliseconds.
const NvidiaDriver& nvidia_driver();

}  // namespace infernode
