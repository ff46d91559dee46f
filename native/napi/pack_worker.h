// packCheckpoint() of the addon: writes a Hugging Face checkpoint as a GGUF file on a libuv worker;
// no partial file remains after a failure. JavaScript thread only.
#pragma once

#include <napi.h>

namespace infernode {

// Returns {promise, cancel}: the promise of the checkpoint report that a load would give, with the
// file's size in bytes.
Napi::Value pack_checkpoint(const Napi::CallbackInfo& info);

}  // namespace infernode
