// ggml backend libraries as files: lists those in a folder, the llama.cpp pin each was built for,
// and the shared libraries each needs. Reads file names and ELF headers; loads nothing. Any thread
// may call these functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace infernode {

// "libinfernode-ggml-<backend>-<pin>.so".
struct BackendFile {
  std::string path;
  std::string backend;  // "cuda", "cpu", "cpu-zen4"
  std::string pin;      // the first eight digits of llama.cpp's tree hash

  [[nodiscard]] bool is_cpu() const { return backend == "cpu" || backend.starts_with("cpu-"); }
};

// Parses a file name. Empty if it is not the name of a backend library; libinfernode-ggml-base is
// not one.
[[nodiscard]] std::optional<BackendFile> backend_file(const std::string& path);

// The backend libraries in a folder, sorted by path, whatever their pin; empty if the folder cannot
// be read.
std::vector<BackendFile> backend_files_in(const std::string& folder);

// Names of the shared libraries this one needs (DT_NEEDED), in the file's order. Empty if the file
// is not a 64-bit ELF library of this machine's byte order.
std::vector<std::string> needed_libraries(const std::string& path);

}  // namespace infernode
