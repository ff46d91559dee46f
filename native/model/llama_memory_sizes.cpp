#include "model/llama_memory_sizes.h"

#include <algorithm>
#include <string>
#include <vector>

#include "../src/llama-ext.h"
#include "ggml-backend.h"
#include "model/host_limits.h"
#include "model/llama_devices.h"

namespace infernode {

namespace {

bool on_host(ggml_backend_buffer_type_t type) {
  if (ggml_backend_buft_is_host(type)) return true;
  ggml_backend_dev_t device = ggml_backend_buft_get_device(type);
  return device != nullptr && ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU;
}

std::vector<DeviceMemory> devices_of(const Placement& placement) {
  std::vector<DeviceMemory> devices;
  if (!placement.uses_devices()) return devices;
  for (const std::string& name : placement.devices) devices.push_back({name, 0, 0, 0});
  return devices;
}

// The share of the device at `index` in a buffer of `bytes` that is split over all devices.
std::uint64_t share_of(std::uint64_t bytes, std::size_t index, const Placement& placement) {
  const std::vector<float>& split = placement.tensor_split;
  const auto weight = [&](std::size_t at) {
    if (split.empty()) return 1.0;
    return at < split.size() ? static_cast<double>(split[at]) : 0.0;
  };
  double all = 0;
  for (std::size_t at = 0; at < placement.devices.size(); ++at) all += weight(at);
  return all <= 0 ? 0
                  : static_cast<std::uint64_t>(static_cast<double>(bytes) * weight(index) / all);
}

// Adds the buffers of this type to the devices that hold them: one device, or all of them where
// llama.cpp splits each tensor (represented by a device of its own).
void add_to(std::vector<DeviceMemory>& devices, ggml_backend_buffer_type_t type,
            const DeviceMemory& bytes, const Placement& placement) {
  const std::string name = ggml_backend_dev_name(ggml_backend_buft_get_device(type));
  const auto one = std::ranges::find(devices, name, &DeviceMemory::name);
  if (one != devices.end()) {
    one->weights += bytes.weights;
    one->kv += bytes.kv;
    one->compute += bytes.compute;
    return;
  }
  for (std::size_t index = 0; index < devices.size(); ++index) {
    devices[index].weights += share_of(bytes.weights, index, placement);
    devices[index].kv += share_of(bytes.kv, index, placement);
    devices[index].compute += share_of(bytes.compute, index, placement);
  }
}

}  // namespace

WeightMemory weight_memory(const llama_context& context, const Placement& placement) {
  WeightMemory weights;
  weights.devices = devices_of(placement);
  for (const auto& [type, bytes] : llama_get_memory_breakdown(&context)) {
    if (ggml_backend_buft_is_host(type)) {
      weights.mappable += bytes.model;
    } else if (on_host(type)) {
      weights.repacked += bytes.model;
    } else {
      add_to(weights.devices, type, {"", bytes.model, 0, 0}, placement);
    }
  }
  return weights;
}

MemoryNeeded context_memory(const llama_context& context, const Placement& placement) {
  MemoryNeeded needed;
  needed.devices = devices_of(placement);
  for (const auto& [type, bytes] : llama_get_memory_breakdown(&context)) {
    needed.kv_bytes += bytes.context;
    needed.compute_bytes += bytes.compute;
    if (on_host(type)) {
      needed.host_bytes += bytes.context + bytes.compute;
    } else {
      add_to(needed.devices, type, {"", 0, bytes.context, bytes.compute}, placement);
    }
  }
  return needed;
}

MemoryRoom memory_room() {
  MemoryRoom room;
  room.host = available_memory_bytes();
  for (const DeviceInfo& device : llama_devices()) {
    if (device.type == DeviceType::kCpu) continue;
    room.devices.push_back({device.name, device.memory_free, device.memory_total});
  }
  return room;
}

}  // namespace infernode
