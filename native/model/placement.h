// Where a model's weights should be placed: the loader's options. Values only; standard library
// only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace infernode {

// As many as fit: resolved by llama_fit.h before the load.
constexpr std::int32_t kFittingLayers = -2;

// How several devices share one model; the names are llama.cpp's.
enum class SplitMode { kNone, kLayer, kRow, kTensor };

struct Placement {
  // Names from DeviceInfo, in this order; empty: the CPU alone.
  std::vector<std::string> devices = {};
  std::int32_t gpu_layers = 0;  // layers on those devices; -1: all
  SplitMode split = SplitMode::kLayer;
  std::vector<float> tensor_split = {};  // a share per device; empty: by their free memory
  std::int32_t main_gpu = 0;  // index into `devices` of the device for tensors that are not split
  double memory_share = 1;    // fraction of each device's memory that kFittingLayers may use

  // Whether any weight is stored, or any layer computed, elsewhere than on the CPU.
  [[nodiscard]] bool uses_devices() const { return gpu_layers != 0 && !devices.empty(); }
};

}  // namespace infernode
