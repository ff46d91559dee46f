// quantizeCheckpoint() of the addon: quantizes a plain Hugging Face checkpoint into a GGUF file
// with llama.cpp's quantizer, on a libuv worker. JavaScript thread only.
#pragma once

#include <napi.h>

namespace infernode {

// Returns {promise, cancel}: the promise of the checkpoint report that a load would give, with the
// types written and the file's size in bytes.
Napi::Value quantize_checkpoint(const Napi::CallbackInfo& info);

// Names of the supported types.
Napi::Value quantize_type_names(const Napi::CallbackInfo& info);

}  // namespace infernode
