#include "model/llama_devices.h"

#include <dlfcn.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include "ggml-backend.h"
#include "model/llama_runtime.h"

namespace infernode {

namespace {

DeviceType type_of(ggml_backend_dev_t device) {
  switch (ggml_backend_dev_type(device)) {
    case GGML_BACKEND_DEVICE_TYPE_CPU:
      return DeviceType::kCpu;
    case GGML_BACKEND_DEVICE_TYPE_IGPU:
      return DeviceType::kIntegratedGpu;
    case GGML_BACKEND_DEVICE_TYPE_ACCEL:
      return DeviceType::kAccelerator;
    default:
      return DeviceType::kGpu;
  }
}

}  // namespace

std::vector<DeviceInfo> llama_devices() {
  std::vector<DeviceInfo> devices;
  if (!llama_runtime_started()) return devices;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    DeviceInfo info;
    info.name = ggml_backend_dev_name(device);
    ggml_backend_reg_t backend = ggml_backend_dev_backend_reg(device);
    info.backend = ggml_backend_reg_name(backend);
    info.splits_rows =
        ggml_backend_reg_get_proc_address(backend, "ggml_backend_split_buffer_type") != nullptr;
    info.description = ggml_backend_dev_description(device);
    info.type = type_of(device);
    std::size_t free = 0, total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    info.memory_free = free;
    info.memory_total = total;
    devices.push_back(std::move(info));
  }
  std::ranges::stable_sort(devices, {},
                           [](const DeviceInfo& d) { return d.type != DeviceType::kCpu; });
  return devices;
}

std::vector<std::string> llama_cpu_features() {
  std::vector<std::string> names;
  if (!llama_runtime_started()) return names;
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (cpu == nullptr) return names;
  const auto features =
      reinterpret_cast<ggml_backend_get_features_t>(ggml_backend_reg_get_proc_address(
          ggml_backend_dev_backend_reg(cpu), "ggml_backend_get_features"));
  if (features == nullptr) return names;
  for (const ggml_backend_feature* feature = features(ggml_backend_dev_backend_reg(cpu));
       feature->name != nullptr; ++feature) {
    if (std::string_view(feature->value) == "1") names.emplace_back(feature->name);
  }
  return names;
}

std::vector<std::string> llama_cpu_kernels() {
  std::vector<std::string> names;
  for (const BackendReport& backend : llama_backends()) {
    if (!backend.loaded || !backend.backend.starts_with("cpu")) continue;
    void* library = dlopen(backend.path.c_str(), RTLD_NOW | RTLD_NOLOAD);
    if (library == nullptr) continue;
    const auto kernels =
        reinterpret_cast<const char* (*)()>(dlsym(library, "infernode_cpu_kernels"));
    std::istringstream lines(kernels == nullptr ? "" : kernels());
    for (std::string line; std::getline(lines, line);) names.push_back(line);
    dlclose(library);
  }
  return names;
}

}  // namespace infernode
