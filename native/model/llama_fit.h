// As many layers as fit on the devices of a placement: found by dry runs, told in the log.
#pragma once

#include <span>

#include "model/gguf_file.h"
#include "model/placement.h"

namespace infernode {

// The placement with a number of layers in place of kFittingLayers, and with the shares of
// several devices, where none were given, that their free memory has now. Beside
// the weights there must be room for the KV cache and the buffers of an engine of default
// options (8 slots of the model's context, at most 4,096 tokens), and 256 MiB on each device.
// Logs the arithmetic. Throws as LlamaDryRun does. Takes some milliseconds a layer count tried.
Placement with_fitting_layers(std::span<const GgufFile> parts, const Placement& asked);

}  // namespace infernode
