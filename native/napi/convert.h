// Converts values between JavaScript and the engine. TypeScript has validated the options, so a
// field of the wrong type is a bug in infernode and throws a TypeError. JavaScript thread only.
#pragma once

#include <napi.h>

#include <optional>
#include <string>

#include "core/engine.h"
#include "model/gguf_file.h"
#include "model/llama_backend.h"
#include "model/llama_model.h"

namespace infernode {

// An engine's options as JavaScript passes them; fill_in_defaults() in create_engine.cpp
// replaces the zeros of `threads` and `sampler_helpers` by defaults.
struct EngineOptions {
  ContextOptions context;
  EngineConfig config;
  bool chooses_host_cache = false;  // its limit is derived from the memory that remains
};

// "f16", "bf16", "f32", "q8_0" or "q4_0".
KvType kv_type_field(const Napi::Object& object, const char* name);
EngineOptions engine_options_from(const Napi::Object& object);
Napi::Object engine_options_to(Napi::Env env, const EngineOptions& options);

// Empty if the value is null: the model is a file.
[[nodiscard]] std::optional<SyntheticShape> synthetic_from(const std::string& reference,
                                                           const Napi::Value& value);

Napi::Object info_to(Napi::Env env, const LlamaModel& model);
Napi::Object metadata_to(Napi::Env env, const GgufFile& file);
Napi::Array tensors_to(Napi::Env env, const GgufFile& file);
Napi::Object stats_to(Napi::Env env, const EngineStats& stats, double wake_ups);
Napi::Object end_to(Napi::Env env, const End& end);

// An Error object with `code`, to be thrown or to reject with.
Napi::Error error_to(Napi::Env env, const Failure& failure);

}  // namespace infernode
