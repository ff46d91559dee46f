// llama.cpp's backends in this process. Started once, never unloaded (ggml cannot be unloaded
// safely), shared by every Node environment of the process. Backends are loaded from one folder by
// explicit path; nothing is searched for. Any thread may call these functions; one mutex guards the
// start.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace infernode {

// A backend's file, and whether it was loaded.
struct BackendReport {
  std::string path;
  std::string backend;  // "cuda", "cpu-zen4"
  bool loaded = false;
  std::size_t devices = 0;  // number of devices it offers
  std::string problem;      // why it is not loaded or offers no device; "" if it is usable
};

// A backend's file that must not be loaded, and why.
struct RefusedBackend {
  std::string path;
  std::string reason;
};

// Loads every backend in `backend_folder` and those in `backend_files`, except those in `refused`,
// and initialises llama.cpp. The first call counts; later ones return at once. Throws
// Error(kModelLoadFailed) if the folder has no CPU backend; may then be called again. The reason
// why another backend was not loaded is logged and kept: llama_backends().
void start_llama_runtime(const std::string& backend_folder,
                         const std::vector<std::string>& backend_files = {},
                         const std::vector<RefusedBackend>& refused = {});

// Whether a start has succeeded.
[[nodiscard]] bool llama_runtime_started();

// Every backend file seen by the start, GPU backends first; empty before the start.
std::vector<BackendReport> llama_backends();

}  // namespace infernode
