#include "model/llama_placed_params.h"

#include <algorithm>
#include <string>

#include "core/types.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

ggml_backend_dev_t device_named(const std::string& name) {
  ggml_backend_dev_t device = ggml_backend_dev_by_name(name.c_str());
  if (device != nullptr) return device;
  throw Error(ErrorCode::kInvalidOption,
              "There is no device " + printable(name, 64) + "; use one that devices() lists.");
}

llama_split_mode split_mode_of(SplitMode split) {
  switch (split) {
    case SplitMode::kNone:
      return LLAMA_SPLIT_MODE_NONE;
    case SplitMode::kRow:
      return LLAMA_SPLIT_MODE_ROW;
    case SplitMode::kTensor:
      return LLAMA_SPLIT_MODE_TENSOR;
    default:
      return LLAMA_SPLIT_MODE_LAYER;
  }
}

}  // namespace

PlacedParams::PlacedParams(const Placement& placement)
    : values(llama_model_default_params()), tensor_split_(llama_max_devices()) {
  if (placement.uses_devices()) {
    for (const std::string& name : placement.devices) devices_.push_back(device_named(name));
  }
  devices_.push_back(nullptr);  // no device at all, not even for scratch buffers on a GPU
  std::ranges::copy(placement.tensor_split, tensor_split_.begin());
  values.devices = devices_.data();
  values.n_gpu_layers = placement.uses_devices() ? placement.gpu_layers : 0;
  values.split_mode = split_mode_of(placement.split);
  values.main_gpu = placement.main_gpu;
  if (!placement.tensor_split.empty()) values.tensor_split = tensor_split_.data();
}

}  // namespace infernode
