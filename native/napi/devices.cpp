#include "napi/devices.h"

#include <string>

#include "model/cuda_libraries.h"
#include "model/host_limits.h"
#include "model/llama_devices.h"

namespace infernode {

namespace {

const char* device_type_name(DeviceType type) {
  switch (type) {
    case DeviceType::kCpu:
      return "cpu";
    case DeviceType::kGpu:
      return "gpu";
    case DeviceType::kIntegratedGpu:
      return "igpu";
    case DeviceType::kAccelerator:
      return "accelerator";
  }
  return "cpu";
}

}  // namespace

std::vector<RefusedBackend> refused_backends_from(const Napi::Value& value) {
  std::vector<RefusedBackend> refused;
  const auto array = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const auto object = array.Get(i).As<Napi::Object>();
    refused.push_back({object.Get("path").ToString(), object.Get("reason").ToString()});
  }
  return refused;
}

Napi::Value devices(const Napi::CallbackInfo& info) {
  Napi::Array array = Napi::Array::New(info.Env());
  for (const DeviceInfo& device : llama_devices()) {
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("name", device.name);
    object.Set("backend", device.backend);
    object.Set("description", device.description);
    object.Set("type", device_type_name(device.type));
    object.Set("splitsRows", device.splits_rows);
    object.Set("memoryTotal", static_cast<double>(device.memory_total));
    object.Set("memoryFree", static_cast<double>(device.memory_free));
    array.Set(array.Length(), object);
  }
  return array;
}

Napi::Value backends(const Napi::CallbackInfo& info) {
  Napi::Array array = Napi::Array::New(info.Env());
  for (const BackendReport& backend : llama_backends()) {
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("path", backend.path);
    object.Set("backend", backend.backend);
    object.Set("loaded", backend.loaded);
    object.Set("devices", static_cast<double>(backend.devices));
    object.Set("problem", backend.problem);
    array.Set(array.Length(), object);
  }
  return array;
}

Napi::Value nvidia_driver_of(const Napi::CallbackInfo& info) {
  const NvidiaDriver& driver = nvidia_driver();
  Napi::Array gpus = Napi::Array::New(info.Env());
  for (const NvidiaGpu& gpu : driver.gpus) {
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("name", gpu.name);
    object.Set("capability", std::to_string(gpu.major) + "." + std::to_string(gpu.minor));
    object.Set("memoryTotal", static_cast<double>(gpu.memory_total));
    gpus.Set(gpus.Length(), object);
  }
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("problem", driver.problem);
  object.Set("cudaVersion", driver.version);
  object.Set("gpus", gpus);
  return object;
}

Napi::Value host(const Napi::CallbackInfo& info) {
  Napi::Array features = Napi::Array::New(info.Env());
  for (const std::string& name : llama_cpu_features()) features.Set(features.Length(), name);
  Napi::Array kernels = Napi::Array::New(info.Env());
  for (const std::string& name : llama_cpu_kernels()) kernels.Set(kernels.Length(), name);
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("cpuFeatures", features);
  object.Set("cpuKernels", kernels);
  object.Set("cpus", usable_cpus());
  object.Set("memoryAvailable", static_cast<double>(available_memory_bytes()));
  return object;
}

}  // namespace infernode
