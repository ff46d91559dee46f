// quantizeCheckpoint() of the addon: a plain Hugging Face checkpoint quantized by llama.cpp's
// quantizer into a GGUF file, on a libuv worker. JavaScript thread only.
#pragma once

#include <napi.h>

namespace infernode {

// {promise, cancel}: the promise of what loading tells of a checkpoint, with the written types,
// and the file's bytes.
Napi::Value quantize_checkpoint(const Napi::CallbackInfo& info);

// Names of the types that it takes.
Napi::Value quantize_type_names(const Napi::CallbackInfo& info);

}  // namespace infernode
