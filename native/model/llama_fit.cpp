#include "model/llama_fit.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ggml.h"
#include "model/llama_dry_run.h"
#include "model/llama_log.h"
#include "model/llama_memory_sizes.h"
#include "model/memory_estimate.h"

namespace infernode {

namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kMargin = 256 * kMiB;  // on each device, as for a load (memory_estimate)
constexpr std::int32_t kSlots = 8;             // an engine's default
constexpr std::int32_t kMostContext = 4096;

EngineShape default_engine(const GgufFile& file) {
  const std::string architecture(file.string("general.architecture"));
  const std::int64_t trained = file.integer(architecture + ".context_length", kMostContext);
  EngineShape shape;
  shape.slots = kSlots;
  shape.context_length =
      static_cast<std::int32_t>(std::clamp<std::int64_t>(trained, 1, kMostContext));
  return shape;
}

// The memory that a number of layers takes on each device, including the engine's KV cache and
// buffers.
std::vector<DeviceMemory> taken_by(std::span<const GgufFile> parts, Placement placement,
                                   std::int32_t layers) {
  placement.gpu_layers = layers;
  const LlamaDryRun dry_run(parts, placement);
  std::vector<DeviceMemory> taken = dry_run.weights().devices;
  add_devices(taken, dry_run.context(default_engine(parts.front())).devices);
  return taken;
}

// The part of each device's memory that may be used, as far as it is free.
std::vector<DeviceRoom> usable_room(const Placement& placement) {
  std::vector<DeviceRoom> devices;
  for (const DeviceRoom& device : memory_room().devices) {
    if (!std::ranges::count(placement.devices, device.name)) continue;
    const double share = static_cast<double>(device.total) * placement.memory_share;
    const std::uint64_t usable = std::min(device.free, static_cast<std::uint64_t>(share));
    devices.push_back({device.name, usable - std::min(usable, kMargin), device.total});
  }
  return devices;
}

const DeviceRoom* room_of(const DeviceMemory& device, const std::vector<DeviceRoom>& room) {
  const auto found = std::ranges::find(room, device.name, &DeviceRoom::name);
  return found == room.end() ? nullptr : &*found;
}

bool all_fit(const std::vector<DeviceMemory>& taken, const std::vector<DeviceRoom>& room) {
  return std::ranges::all_of(taken, [&](const DeviceMemory& device) {
    const DeviceRoom* there = room_of(device, room);
    return there != nullptr && device.sum() <= there->free;
  });
}

void tell(const Placement& placement, std::int32_t most, const std::vector<DeviceMemory>& taken,
          const std::vector<DeviceRoom>& room) {
  std::string line = "gpuLayers \"auto\": " + std::to_string(placement.gpu_layers);
  line += " of " + std::to_string(most) + " layers (the output counts as one)";
  for (const DeviceMemory& device : taken) {
    const DeviceRoom* there = room_of(device, room);
    line.append("; on ").append(device.name).append(": weights ").append(in_mib(device.weights));
    line.append(", KV cache and buffers of ").append(std::to_string(kSlots));
    line.append(" slots ").append(in_mib(device.kv + device.compute));
    line.append(", of ").append(in_mib(there == nullptr ? 0 : there->free));
    line.append(" that may be used beside 256 MiB");
  }
  log_line(GGML_LOG_LEVEL_INFO, line);
}

// llama.cpp splits layers by the memory that is free on each device at the time of the call. Once
// the model is loaded this gives another split, so a later dry run would measure a placement that
// does not exist.
Placement with_fixed_shares(Placement placement) {
  const bool divided = placement.split == SplitMode::kLayer || placement.split == SplitMode::kRow;
  if (!divided || !placement.tensor_split.empty() || placement.devices.size() < 2) return placement;
  const std::vector<DeviceRoom> room = memory_room().devices;
  for (const std::string& name : placement.devices) {
    const DeviceRoom* there = room_of({name, 0, 0, 0}, room);
    const std::uint64_t mib = there == nullptr ? 0 : std::max(there->free, kMiB) / kMiB;
    placement.tensor_split.push_back(static_cast<float>(mib));
  }
  return placement;
}

}  // namespace

Placement with_fitting_layers(std::span<const GgufFile> parts, const Placement& asked) {
  const Placement placement = with_fixed_shares(asked);
  if (placement.gpu_layers != kFittingLayers) return placement;
  Placement fitting = placement;
  const GgufFile& file = parts.front();
  const std::string architecture(file.string("general.architecture"));
  const auto most = static_cast<std::int32_t>(file.integer(architecture + ".block_count", 0)) + 1;
  const std::vector<DeviceRoom> room = usable_room(placement);
  std::int32_t low = 0;  // a number of layers that fits
  std::vector<DeviceMemory> at_low;
  for (const std::string& name : placement.devices) at_low.push_back({name, 0, 0, 0});
  for (std::int32_t high = most; low < high;) {
    // Try all layers first: the usual case.
    const std::int32_t middle = high == most && low == 0 ? most : low + (high - low + 1) / 2;
    std::vector<DeviceMemory> taken = taken_by(parts, placement, middle);
    if (all_fit(taken, room)) {
      low = middle;
      at_low = std::move(taken);
    } else {
      high = middle - 1;
    }
  }
  fitting.gpu_layers = low;
  tell(fitting, most, at_low, room);
  return fitting;
}

}  // namespace infernode
