#include "model/llama_layer_places.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace infernode {

namespace {

constexpr std::string_view kHost = "CPU";

// "… layer   7 assigned to device CUDA0, is_swa = 0", without its beginning.
struct LayerLine {
  std::int32_t layer;
  std::string_view device;
};

std::optional<LayerLine> read_line(std::string_view line) {
  constexpr std::string_view kLayer = "load_tensors: layer ";
  constexpr std::string_view kAssigned = " assigned to device ";
  const std::size_t begin = line.find(kLayer);
  if (begin == std::string_view::npos) return std::nullopt;
  line.remove_prefix(begin + kLayer.size());
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  LayerLine read{};
  const auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), read.layer);
  if (failure != std::errc()) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  if (!line.starts_with(kAssigned)) return std::nullopt;
  line.remove_prefix(kAssigned.size());
  read.device = line.substr(0, line.find(','));
  return read;
}

}  // namespace

void LlamaLayerPlaces::add_line(std::string_view line) {
  const auto read = read_line(line);
  if (read) device_of_[read->layer] = std::string(read->device);
}

std::vector<ModelDevice> LlamaLayerPlaces::devices(const Placement& placement,
                                                   const WeightMemory& weights,
                                                   std::int32_t layer_count) const {
  std::vector<ModelDevice> devices;
  for (const DeviceMemory& device : weights.devices)
    devices.push_back({.name = device.name, .weight_bytes = device.weights});
  devices.push_back(
      {.name = std::string(kHost), .weight_bytes = weights.mappable + weights.repacked});

  // In these modes each layer's matrices are split over all devices.
  const bool cut = placement.split == SplitMode::kRow || placement.split == SplitMode::kTensor;
  for (const auto& [layer, name] : device_of_) {
    const bool on_host = name == kHost;
    for (ModelDevice& device : devices) {
      const bool is_host = device.name == kHost;
      if (on_host != is_host || !(cut || device.name == name)) continue;
      if (layer < layer_count) {
        device.layers.push_back(layer);
      } else {
        device.has_output = true;
      }
    }
  }
  const ModelDevice& host = devices.back();
  if (!host.computes() && host.weight_bytes == 0) devices.pop_back();
  return devices;
}

}  // namespace infernode
