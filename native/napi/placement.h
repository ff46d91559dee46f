// Converts where a model should be placed (NativePlacement) and where it was placed
// (NativeModelDevice; both in src/native-devices.ts). JavaScript thread only.
#pragma once

#include <napi.h>

#include <vector>

#include "model/llama_layer_places.h"
#include "model/placement.h"

namespace infernode {

Placement placement_from(const Napi::Value& value);
Napi::Array model_devices_to(Napi::Env env, const std::vector<ModelDevice>& devices);

}  // namespace infernode
