// The addon's functions for plans: memory from headers alone, and how fast this CPU multiplies.
// Both work on a libuv worker. JavaScript thread only.
#pragma once

#include <napi.h>

namespace infernode {

// measure(options): resolves to the memory of engines with each of `options.slots` slots.
Napi::Value measure_memory_async(const Napi::CallbackInfo& info);

// probeMatrices(probe): resolves to seconds per weight and pass, measured.
Napi::Value probe_matrices_async(const Napi::CallbackInfo& info);

}  // namespace infernode
