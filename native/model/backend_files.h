// ggml's backends as files: which lie in a folder, which llama.cpp each was built for, and which
// libraries each needs. Reads names and ELF headers; loads nothing. Any thread may call these.
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

// Nothing where the file's name is not a backend's; libinfernode-ggml-base is none.
[[nodiscard]] std::optional<BackendFile> backend_file(const std::string& path);

// Those in a folder, sorted by path, of whatever pin; none where it cannot be read.
std::vector<BackendFile> backend_files_in(const std::string& folder);

// Names of the libraries that the dynamic linker must find for this one (DT_NEEDED), in the
// file's order. None where the file is no 64-bit ELF library of this machine's byte order.
std::vector<std::string> needed_libraries(const std::string& path);

}  // namespace infernode
