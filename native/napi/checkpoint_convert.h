// Converts checkpoint options and reports between JavaScript and native types. TypeScript has
// validated the options. JavaScript thread only.
#pragma once

#include <napi.h>

#include <optional>
#include <string>

#include "checkpoint/checkpoint_file.h"

namespace infernode {

// Empty if the value is null: the model is a GGUF file or synthetic.
[[nodiscard]] std::optional<CheckpointOptions> checkpoint_from(const std::string& path,
                                                               const Napi::Value& value);

// Null if the model is not a checkpoint.
Napi::Value checkpoint_to(Napi::Env env, const std::optional<CheckpointReport>& report);

}  // namespace infernode
