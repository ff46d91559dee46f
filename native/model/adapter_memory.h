// The memory of LoRA adapters on each device: llama.cpp allocates a pair of matrices on the device
// of the matrix they modify, and a pass needs memory for the product of one pair. Values and a pure
// function; any thread may call it.
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
