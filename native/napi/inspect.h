// inspect() and inspectAsync() of the addon: the header of a GGUF file or of a synthetic model, or
// the header generated for a Hugging Face checkpoint. JavaScript thread only.
#pragma once

#include <napi.h>

namespace infernode {

// Returns {metadata, tensors, version, fileBytes}. Blocks while the header is read or generated:
// seconds where the scales of a large checkpoint are examined (`headersOnly` is not set).
Napi::Value inspect_header(const Napi::CallbackInfo& info);

// A promise of the same, computed on a libuv worker.
Napi::Value inspect_header_async(const Napi::CallbackInfo& info);

}  // namespace infernode
