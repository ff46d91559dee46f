// Checkpoint options and reports between JavaScript and the model. Options were judged in
// TypeScript. JavaScript thread only.
#pragma once

#include <napi.h>

#include <optional>
#include <string>

#include "checkpoint/checkpoint_file.h"

namespace infernode {

// Nothing where the value is null: the model is a GGUF file or synthetic.
[[nodiscard]] std::optional<CheckpointOptions> checkpoint_from(const std::string& path,
                                                               const Napi::Value& value);

// null where the model is no checkpoint.
Napi::Value checkpoint_to(Napi::Env env, const std::optional<CheckpointReport>& report);

}  // namespace infernode
