// The addon's functions for plans and benchmarks: memory needed, from headers alone; how fast a
// device multiplies; power draw of GPUs. All work runs on a libuv worker. JavaScript thread only.
#pragma once

#include <napi.h>

namespace infernode {

// measure(options): resolves to the memory of an engine for each number of slots in
// `options.slots`.
Napi::Value measure_memory_async(const Napi::CallbackInfo& info);

// probeMatrices(probe): resolves to seconds per weight and pass, measured.
Napi::Value probe_matrices_async(const Napi::CallbackInfo& info);

// gpuPower(): resolves to power and energy counters of NVIDIA's GPUs, or the reason why there are
// none.
Napi::Value gpu_power_async(const Napi::CallbackInfo& info);

}  // namespace infernode
