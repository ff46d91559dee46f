#include "model/llama_facts.h"

#include <algorithm>
#include <string>
#include <vector>

#include "ggml-backend.h"

namespace infernode {

namespace {

// ggml's CPU flash attention computes this many rows of a sequence as a tile and accumulates in F32
// what it accumulates in F16 for single rows (ops.cpp, v0.5.0).
constexpr std::int32_t kFlashWideRows = 64;
// Without flash attention, a single row rounds differently from two or more; measured to the bit
// with F32, F16, Q8_0, Q4_0 and Q4_K weights.
constexpr std::int32_t kWideRows = 2;
// Largest tile of ggml's matrix kernels on GPUs (mmq), in rows: weights are read once for all of
// them.
constexpr std::int32_t kDeviceTile = 128;

std::string listed(const std::vector<DeviceMemory>& devices) {
  std::string names;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (i > 0) names += i + 1 < devices.size() ? ", " : " and ";
    names += devices[i].name;
  }
  return names;
}

}  // namespace

BackendFacts backend_facts(const LlamaModel& model, bool flash_attention) {
  BackendFacts facts;
  const std::vector<DeviceMemory>& devices = model.weight_memory().devices;
  if (devices.empty()) {
    facts.wide_rows = flash_attention ? kFlashWideRows : kWideRows;
    return facts;
  }
  facts.where = listed(devices);
  // Kernels are chosen by the total number of rows in a pass, so splitting a prompt differently
  // cannot make its rows what they would be in another pass.
  facts.wide_rows = 1;
  facts.not_repeatable =
      "deterministic must be false with layers on " + facts.where +
      ", got true: a device's kernels round a row differently with the number of rows that share "
      "its pass. Load the model with gpuLayers 0, or create the engine without deterministic.";
  facts.cheap_rows = kDeviceTile;
  return facts;
}

bool all_asynchronous(const LlamaModel& model) {
  return std::ranges::all_of(model.info().devices, [](const ModelDevice& device) {
    ggml_backend_dev_t found = ggml_backend_dev_by_name(device.name.c_str());
    if (found == nullptr) return false;
    ggml_backend_dev_props properties{};
    ggml_backend_dev_get_props(found, &properties);
    return properties.caps.async || !device.computes();
  });
}

}  // namespace infernode
