#include "napi/placement.h"

#include <array>
#include <string_view>

#include "napi/fields.h"

namespace infernode {

namespace {

// In the order of SplitMode.
constexpr std::array<std::string_view, 4> kSplitModes = {"none", "layer", "row", "tensor"};

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
  placement.split = static_cast<SplitMode>(name_field(object, "splitMode", kSplitModes));
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
