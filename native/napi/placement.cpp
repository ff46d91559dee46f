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

Napi::Array model_devices_to(Napi::Env env, const std::vector<ModelDevice>& devices) {
  Napi::Array array = Napi::Array::New(env, devices.size());
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const ModelDevice& device = devices[i];
    Napi::Array layers = Napi::Array::New(env, device.layers.size());
    for (std::uint32_t at = 0; at < layers.Length(); ++at) layers.Set(at, device.layers[at]);
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", device.name);
    object.Set("layers", layers);
    object.Set("hasOutput", device.has_output);
    object.Set("weightBytes", static_cast<double>(device.weight_bytes));
    array.Set(i, object);
  }
  return array;
}

}  // namespace infernode
