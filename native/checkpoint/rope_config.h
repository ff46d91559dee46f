// How a checkpoint encodes positions: `rope_theta` with `rope_scaling`, or the `rope_parameters` of
// transformers 5, checked against what llama.cpp computes for the architecture. Refuses what
// llama.cpp would compute differently. Pure; any thread.
#pragma once

#include "checkpoint/config_reader.h"
#include "checkpoint/model_config.h"

namespace infernode {

// `config` is complete except for `rope`. Throws Error(kModelFormatUnsupported) or
// Error(kModelCorrupt).
RopeConfig read_rope_config(const ConfigReader& reader, const ModelConfig& config);

}  // namespace infernode
