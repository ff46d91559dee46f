// How many layers fit on the devices of a placement: found by dry runs, reported in the log.
#pragma once

#include <span>

#include "model/gguf_file.h"
#include "model/placement.h"

namespace infernode {

// The placement with kFittingLayers replaced by a number of layers, and, for several devices
// without given shares, with shares by their free memory at present. Besides the weights there must
// be room for the KV cache and buffers of an engine with default options (8 slots of the model's
// context, at most 4,096 tokens) and 256 MiB on each device. Logs the arithmetic. Throws as
// LlamaDryRun does. Takes some milliseconds per layer count tried.
Placement with_fitting_layers(std::span<const GgufFile> parts, const Placement& asked);

}  // namespace infernode
