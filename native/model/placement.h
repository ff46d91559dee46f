// Where a model's weights are to lie: what its loader was asked for. Values only; standard
// library only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace infernode {

constexpr std::int32_t kAllLayers = -1;
constexpr std::int32_t kFittingLayers = -2;  // as many as fit: llama_fit.h decides before a load

// How several devices share one model, in llama.cpp's words.
enum class SplitMode { kNone, kLayer, kRow, kTensor };

struct Placement {
  std::vector<std::string> devices = {};  // names of DeviceInfo, in this order; none: the CPU alone
  std::int32_t gpu_layers = 0;            // of the model, on those devices; kAllLayers: all
  SplitMode split = SplitMode::kLayer;
  std::vector<float> tensor_split = {};  // a share for each device; none: by their free memory
  std::int32_t main_gpu = 0;             // index into `devices`: what is not split lies there
  double memory_share = 1;               // of each device's memory that kFittingLayers may use

  // Whether anything lies, or is computed, elsewhere than on the CPU.
  [[nodiscard]] bool uses_devices() const { return gpu_layers != 0 && !devices.empty(); }
};

}  // namespace infernode
