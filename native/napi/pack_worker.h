// packCheckpoint() of the addon: a Hugging Face checkpoint written as a GGUF file, whole or not
// at all, on a libuv worker. JavaScript thread only.
#pragma once

#include <napi.h>

namespace infernode {

// {promise, cancel}: the promise of what loading tells of a checkpoint, and the file's bytes.
Napi::Value pack_checkpoint(const Napi::CallbackInfo& info);

}  // namespace infernode
