#include "napi/placement.h"

#include <string>

namespace infernode {

namespace {

SplitMode split_mode_from(const std::string& name) {
  if (name == "none") return SplitMode::kNone;
  if (name == "row") return SplitMode::kRow;
  if (name == "tensor") return SplitMode::kTensor;
  return SplitMode::kLayer;
}

}  // namespace

Placement placement_from(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  Placement placement;
  const auto devices = object.Get("devices").As<Napi::Array>();
  for (std::uint32_t i = 0; i < devices.Length(); ++i) {
    placement.devices.push_back(devices.Get(i).ToString());
  }
  const auto shares = object.Get("tensorSplit").As<Napi::Array>();
  for (std::uint32_t i = 0; i < shares.Length(); ++i) {
    placement.tensor_split.push_back(shares.Get(i).ToNumber().FloatValue());
  }
  placement.gpu_layers = object.Get("gpuLayers").ToNumber().Int32Value();
  placement.split = split_mode_from(object.Get("splitMode").ToString());
  placement.main_gpu = object.Get("mainGpu").ToNumber().Int32Value();
  placement.memory_share = object.Get("gpuMemoryUtilization").ToNumber().DoubleValue();
  return placement;
}

}  // namespace infernode
