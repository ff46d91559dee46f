// What LoRA adapters take on each device: llama.cpp puts a pair of matrices beside the model's
// matrix that it changes, and a pass needs room for one pair's product beside everything else.
// Values and a pure function; any thread may call it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/gguf_file.h"
#include "model/llama_layer_places.h"
#include "model/memory_estimate.h"

namespace infernode {

// For every place but the host, in their order: the adapters' bytes there, as `weights` and as
// `adapters`, and how much more the passes of `shape` take with them. The last one, without a
// name, is the host's, whose `compute` alone is filled in. `places` are ModelInfo::devices.
std::vector<DeviceMemory> adapter_memory(std::span<const GgufFile> adapters,
                                         const std::vector<ModelDevice>& places,
                                         const EngineShape& shape);

}  // namespace infernode
