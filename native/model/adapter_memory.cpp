#include "model/adapter_memory.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace infernode {

namespace {

constexpr std::string_view kHost = "CPU";
constexpr std::string_view kBlock = "blk.";
constexpr std::string_view kSecond = ".lora_b";  // of a pair, with as many rows as the matrix
// Of what moves from one device to the next, where several compute different passes at a time
// (ggml's GGML_SCHED_MAX_COPIES).
constexpr std::uint64_t kPipelineCopies = 4;

bool is_host(const ModelDevice& place) { return place.name == kHost; }
bool of_embeddings(std::string_view name) { return name.starts_with("token_embd."); }
bool of_output(std::string_view name) { return name.starts_with("output."); }

// "blk.12.attn_q.weight.lora_a": 12.
std::optional<std::int32_t> layer_of(std::string_view name) {
  if (!name.starts_with(kBlock)) return std::nullopt;
  name.remove_prefix(kBlock.size());
  std::int32_t layer = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  return error == std::errc() && end != name.data() ? std::optional(layer) : std::nullopt;
}

// Token embeddings are the host's, whatever lies on devices.
bool holds(const ModelDevice& place, std::string_view name) {
  if (const auto layer = layer_of(name))
    return std::ranges::find(place.layers, *layer) != place.layers.end();
  return place.has_output && of_output(name);
}

// llama.cpp lets several devices work at a time where all layers lie on them.
bool in_pipeline(const std::vector<ModelDevice>& places) {
  const auto computing = std::ranges::count_if(
      places, [](const ModelDevice& place) { return !is_host(place) && place.computes(); });
  const bool on_host = std::ranges::any_of(
      places, [](const ModelDevice& place) { return is_host(place) && place.computes(); });
  return computing > 1 && !on_host;
}

// The product of a pair, rank numbers and then as many as the matrix has rows, for each row of
// a pass; logits are computed for fewer rows.
std::uint64_t product_bytes(const GgufTensor& tensor, const EngineShape& shape) {
  if (!tensor.name.ends_with(kSecond) || tensor.shape.size() < 2) return 0;
  const auto each = static_cast<std::uint64_t>(tensor.shape[0] + tensor.shape[1]) * sizeof(float);
  const std::int32_t rows = of_output(tensor.name) ? most_outputs(shape) : most_rows(shape);
  return each * static_cast<std::uint64_t>(rows);
}

void add_tensor(DeviceMemory& device, const ModelDevice& place, const GgufTensor& tensor,
                std::uint64_t shares, const EngineShape& shape) {
  if (!holds(place, tensor.name)) return;
  device.compute = std::max(device.compute, product_bytes(tensor, shape));
  if (is_host(place)) return;
  device.weights += tensor.bytes / shares;
  device.adapters += tensor.bytes / shares;
}

}  // namespace

std::vector<DeviceMemory> adapter_memory(std::span<const GgufFile> adapters,
                                         const std::vector<ModelDevice>& places,
                                         const EngineShape& shape) {
  std::vector<DeviceMemory> devices;
  for (const ModelDevice& place : places)
    if (!is_host(place)) devices.push_back({.name = place.name});
  devices.push_back({});  // the host
  std::uint64_t embeddings = 0;
  for (const GgufFile& adapter : adapters) {
    for (const GgufTensor& tensor : adapter.tensors()) {
      if (of_embeddings(tensor.name)) embeddings += tensor.bytes;
      // A layer that is split over several devices has a part of the pair on each.
      const auto shares = static_cast<std::uint64_t>(std::ranges::count_if(
          places, [&](const ModelDevice& place) { return holds(place, tensor.name); }));
      std::size_t index = 0;
      for (const ModelDevice& place : places) {
        DeviceMemory& device = is_host(place) ? devices.back() : devices[index++];
        add_tensor(device, place, tensor, shares, shape);
      }
    }
  }
  // The first device looks the embeddings' pair up itself, in copies of it.
  if (in_pipeline(places)) devices.front().compute += kPipelineCopies * embeddings;
  return devices;
}

}  // namespace infernode
