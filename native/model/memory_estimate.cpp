#include "model/memory_estimate.h"

#include <algorithm>

#include "core/types.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kHostMargin = 64 * kMiB;  // graphs, allocator
// The driver's own, staging buffers, fragmentation.
constexpr std::uint64_t kDeviceMargin = 256 * kMiB;
constexpr std::uint64_t kPassMargin = 64 * kMiB;  // workspaces that kernels allocate during a pass
constexpr std::uint64_t kMappedFactor = 4;
// Rows with logits in a pass that scores prompts or computes drafts for a few sequences. Costs
// memory for as many logits in the compute buffer, and on the host once such a pass is computed.
constexpr std::int32_t kWideOutputs = 64;
constexpr std::int32_t kMostSequences = 256;  // llama.cpp's limit (LLAMA_MAX_SEQ)
constexpr std::uint64_t kMostHostCache = 1024 * kMiB;
// A quarter: Node, its heap and other engines grow as well.
constexpr std::uint64_t kHostCacheShare = 4;

[[noreturn]] void refuse_size(const std::string& label, const std::string& what,
                              std::uint64_t needed, std::uint64_t free, const std::string& remedy) {
  throw Error(ErrorCode::kOutOfMemory, quoted_path(label) + " needs " + in_mib(needed) + what +
                                           ", " + in_mib(free) + " are free; " + remedy + ".");
}

// nullptr: the device's memory is unknown.
const DeviceRoom* room_of(const std::string& name, const MemoryRoom& room) {
  for (const DeviceRoom& device : room.devices)
    if (device.name == name && device.total > 0) return &device;
  return nullptr;
}

void check_device_weights(const std::string& label, const DeviceMemory& device,
                          const MemoryRoom& room) {
  const DeviceRoom* there = room_of(device.name, room);
  const std::uint64_t needed = device.weights + kDeviceMargin;
  if (device.weights == 0 || there == nullptr || needed <= there->free) return;
  throw Error(ErrorCode::kOutOfMemory,
              quoted_path(label) + " needs " + in_mib(needed) + " on " + device.name + " (" +
                  in_mib(device.weights) + " of weights, " + in_mib(kDeviceMargin) +
                  " to work with), " + in_mib(there->free) + " of " + in_mib(there->total) +
                  " are free there; lower gpuLayers, add a device or use a smaller "
                  "quantization.");
}

}  // namespace

std::string in_mib(std::uint64_t bytes) {
  return std::to_string((bytes + kMiB - 1) / kMiB) + " MiB";
}

std::uint64_t WeightMemory::on_devices() const {
  std::uint64_t bytes = 0;
  for (const DeviceMemory& device : devices) bytes += device.weights;
  return bytes;
}

void add_devices(std::vector<DeviceMemory>& devices, const std::vector<DeviceMemory>& more) {
  for (const DeviceMemory& one : more) {
    const auto known = std::ranges::find(devices, one.name, &DeviceMemory::name);
    if (known == devices.end()) {
      devices.push_back(one);
      continue;
    }
    known->weights += one.weights;
    known->kv += one.kv;
    known->compute += one.compute;
    known->adapters += one.adapters;
  }
}

std::int32_t idle_sequences(std::int32_t slots) { return std::min(slots, kMostSequences - slots); }

std::int32_t most_rows(const EngineShape& shape) {
  return std::max(shape.prefill_chunk, shape.slots);
}

std::int32_t most_outputs(const EngineShape& shape) {
  return std::max(shape.slots, std::min(kWideOutputs, most_rows(shape)));
}

void check_weights_fit(const std::string& label, const WeightMemory& weights, bool memory_map,
                       const MemoryRoom& room) {
  for (const DeviceMemory& device : weights.devices) check_device_weights(label, device, room);
  if (room.host == 0) return;
  const std::uint64_t needed =
      weights.repacked + (memory_map ? 0 : weights.mappable) + weights.vocabulary + kHostMargin;
  if (needed > room.host) {
    refuse_size(label, " of memory", needed, room.host,
                "use a smaller quantization or a host with more memory");
  }
  if (memory_map && weights.mappable / kMappedFactor > room.host) {
    refuse_size(label, " of page cache", weights.mappable, room.host,
                "memory-mapped weights over four times the free memory would be read from disk in "
                "every step");
  }
}

void check_context_fits(const std::string& what, const MemoryNeeded& needed,
                        const MemoryRoom& room) {
  for (const DeviceMemory& device : needed.devices) {
    const DeviceRoom* there = room_of(device.name, room);
    const std::uint64_t bytes = device.kv + device.compute + device.adapters;
    if (bytes == 0 || there == nullptr || bytes + kPassMargin <= there->free) continue;
    std::string sentence = what + " needs " + in_mib(bytes + kPassMargin) + " on " + device.name;
    sentence += " (" + in_mib(device.kv) + " of KV cache, " + in_mib(device.compute);
    sentence += " for passes";
    if (device.adapters > 0) sentence += ", " + in_mib(device.adapters) + " of LoRA adapters";
    sentence += ", " + in_mib(kPassMargin) + " beside them), " + in_mib(there->free) + " of ";
    sentence += in_mib(there->total) + " are free there; lower slots or contextLength, ";
    sentence += "or put fewer layers on it.";
    throw Error(ErrorCode::kOutOfMemory, sentence);
  }
}

std::uint64_t default_host_cache_bytes(const MemoryNeeded& engine, std::uint64_t available) {
  const std::uint64_t most = std::min(kMostHostCache, engine.weight_bytes + engine.kv_bytes);
  if (available == 0) return most;
  const std::uint64_t left = available - std::min(available, engine.host_bytes);
  return std::min(most, left / kHostCacheShare);
}

}  // namespace infernode
