// inspect() and inspectAsync() of the addon: the header of a GGUF file, of a synthetic model, or
// the one that a Hugging Face checkpoint gets. JavaScript thread only.
#pragma once

#include <napi.h>

namespace infernode {

// {metadata, tensors, version, fileBytes}. Blocks while the header is read or made: seconds where
// the scales of a large checkpoint are examined (`headersOnly` is not set).
Napi::Value inspect_header(const Napi::CallbackInfo& info);

// A promise of the same, made on a libuv worker.
Napi::Value inspect_header_async(const Napi::CallbackInfo& info);

}  // namespace infernode
