// The addon's functions for plans and benchmarks: memory from headers alone, how fast a device
// multiplies, and what GPUs draw. All work on a libuv worker. JavaScript thread only.
#pragma once

#include <napi.h>

namespace infernode {

// measure(options): resolves to the memory of engines with each of `options.slots` slots.
Napi::Value measure_memory_async(const Napi::CallbackInfo& info);

// probeMatrices(probe): resolves to seconds per weight and pass, measured.
Napi::Value probe_matrices_async(const Napi::CallbackInfo& info);

// gpuPower(): resolves to power and energy counters of NVIDIA's GPUs, or why there are none.
Napi::Value gpu_power_async(const Napi::CallbackInfo& info);

}  // namespace infernode
