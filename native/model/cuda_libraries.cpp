// glibc resolves a library's DT_NEEDED entries against the DT_SONAME of libraries that are open
// already: opening cuBLAS by its path is enough for the backend opened after it.
#include "model/cuda_libraries.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "model/backend_files.h"

namespace infernode {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRuntime = "libcudart.so.";
constexpr std::string_view kLight = "libcublasLt.so.";
constexpr std::string_view kBlas = "libcublas.so.";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Folders of a list separated by ':'.
std::vector<std::string> listed(const std::string& list) {
  std::vector<std::string> folders;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    if (end > begin) folders.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return folders;
}

std::vector<std::string> entries_of(const std::string& folder, std::string_view prefix) {
  std::vector<std::string> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix)) found.push_back(entry.path().string());
  }
  std::ranges::sort(found, std::ranges::greater());  // newest version first
  return found;
}

void add_toolkit(std::vector<std::string>& folders, const std::string& toolkit) {
  if (toolkit.empty()) return;
  for (const char* libraries : {"/lib64", "/targets/x86_64-linux/lib", "/targets/sbsa-linux/lib"})
    folders.push_back(toolkit + libraries);
}

// pip installs nvidia-cublas here; the folder differs between its versions.
void add_python(std::vector<std::string>& folders, const std::string& environment) {
  if (environment.empty()) return;
  for (const std::string& python : entries_of(environment + "/lib", "python3")) {
    for (const char* packages : {"/site-packages/nvidia", "/dist-packages/nvidia"}) {
      for (const std::string& generation : entries_of(python + packages, "cu"))
        folders.push_back(generation + "/lib");  // cu13, cublas, cuda_runtime
    }
  }
}

// The path of a library in the first folder that contains it; "" if none does.
std::string find_in(const std::vector<std::string>& folders, const std::string& name) {
  for (const std::string& folder : folders) {
    std::error_code error;
    const fs::path path = fs::path(folder) / name;
    if (fs::exists(path, error)) return fs::absolute(path, error).string();
  }
  return "";
}

// "" if it opens, by its path or through the dynamic linker's search path.
std::string open_library(const std::string& name, const std::vector<std::string>& folders) {
  const std::string found = find_in(folders, name);
  const std::string& asked = found.empty() ? name : found;
  if (dlopen(asked.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return "";
  const char* error = dlerror();
  return error == nullptr ? asked + " does not open" : error;
}

std::string version_of(std::string_view name) {
  return std::string(name.substr(name.rfind('.') + 1));
}

}  // namespace

std::vector<std::string> cuda_library_folders(const std::string& own_folder) {
  std::vector<std::string> folders = {own_folder};
  for (std::string& folder : listed(variable("INFERNODE_CUBLAS")))
    folders.push_back(std::move(folder));
  add_toolkit(folders, variable("CUDA_HOME"));
  add_toolkit(folders, variable("CUDA_PATH"));
  for (const std::string& toolkit : entries_of("/usr/local", "cuda")) add_toolkit(folders, toolkit);
  add_python(folders, variable("VIRTUAL_ENV"));
  add_python(folders, variable("CONDA_PREFIX"));
  if (const std::string home = variable("HOME"); !home.empty())
    add_python(folders, home + "/.local");
  add_python(folders, "/usr/local");
  std::erase_if(folders, [](const std::string& folder) {
    std::error_code error;
    return !fs::is_directory(folder, error);
  });
  return folders;
}

std::string open_cuda_libraries(const std::string& path) {
  std::vector<std::string> names;
  for (const std::string& needed : needed_libraries(path)) {
    if (needed.starts_with(kBlas)) {
      names.push_back(std::string(kLight) + version_of(needed));
      names.push_back(needed);
    } else if (needed.starts_with(kRuntime)) {
      names.insert(names.begin(), needed);
    } else if (needed.starts_with(kLight)) {
      names.push_back(needed);
    }
  }
  if (names.empty()) return "";
  const std::vector<std::string> folders =
      cuda_library_folders(fs::path(path).parent_path().string());
  for (const std::string& name : names) {
    const std::string reason = open_library(name, folders);
    if (reason.empty()) continue;
    std::string sentence = "it needs " + name;
    sentence += ", which was not found or does not open: ";
    return sentence + reason;
  }
  return "";
}

namespace {

// The part of the driver's interface that is used, declared here because its header comes with the
// CUDA toolkit, which a machine that runs models need not have.
using Result = int;
constexpr Result kSuccess = 0;
constexpr int kMajor = 75;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
constexpr int kMinor = 76;

template <typename Function>
Function* function_of(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

class DriverCalls {
 public:
  explicit DriverCalls(void* library)
      : init_(function_of<Result(unsigned)>(library, "cuInit")),
        version_(function_of<Result(int*)>(library, "cuDriverGetVersion")),
        count_(function_of<Result(int*)>(library, "cuDeviceGetCount")),
        name_(function_of<Result(char*, int, int)>(library, "cuDeviceGetName")),
        attribute_(function_of<Result(int*, int, int)>(library, "cuDeviceGetAttribute")),
        memory_(function_of<Result(std::size_t*, int)>(library, "cuDeviceTotalMem_v2")),
        error_(function_of<Result(Result, const char**)>(library, "cuGetErrorString")) {}

  NvidiaDriver ask() const {
    NvidiaDriver driver;
    if (init_ == nullptr || count_ == nullptr || name_ == nullptr || attribute_ == nullptr ||
        memory_ == nullptr) {
      driver.problem = "libcuda.so.1 lacks functions of NVIDIA's driver; install the driver again";
      return driver;
    }
    int number = 0;
    if (version_ != nullptr && version_(&number) == kSuccess) driver.version = number;
    if (const Result result = init_(0); result != kSuccess) {
      driver.problem = "NVIDIA's driver says: " + text_of(result);
      return driver;
    }
    int count = 0;
    if (count_(&count) != kSuccess || count == 0) driver.problem = "NVIDIA's driver reports no GPU";
    for (int gpu = 0; gpu < count; ++gpu) driver.gpus.push_back(gpu_at(gpu));
    return driver;
  }

 private:
  // CUdevice is the device's index.
  NvidiaGpu gpu_at(int device) const {
    NvidiaGpu gpu;
    std::array<char, 128> name{};
    if (name_(name.data(), static_cast<int>(name.size()) - 1, device) == kSuccess)
      gpu.name = name.data();
    attribute_(&gpu.major, kMajor, device);
    attribute_(&gpu.minor, kMinor, device);
    std::size_t bytes = 0;
    if (memory_(&bytes, device) == kSuccess) gpu.memory_total = bytes;
    return gpu;
  }

  std::string text_of(Result result) const {
    const char* text = nullptr;
    if (error_ != nullptr && error_(result, &text) == kSuccess && text != nullptr) return text;
    return "error " + std::to_string(result);
  }

  Result (*init_)(unsigned);
  Result (*version_)(int*);
  Result (*count_)(int*);
  Result (*name_)(char*, int, int);
  Result (*attribute_)(int*, int, int);
  Result (*memory_)(std::size_t*, int);
  Result (*error_)(Result, const char**);
};

NvidiaDriver ask_driver() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) return DriverCalls(library).ask();
  const char* error = dlerror();
  NvidiaDriver none;
  none.problem = error == nullptr ? "libcuda.so.1 does not open" : error;
  return none;
}

}  // namespace

const NvidiaDriver& nvidia_driver() {
  static const NvidiaDriver& asked = *new NvidiaDriver(ask_driver());
  return asked;
}

}  // namespace infernode
