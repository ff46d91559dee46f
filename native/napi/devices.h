// What JavaScript can query about the machine: devices, backend files, NVIDIA's driver, the CPU.
// JavaScript thread only.
#pragma once

#include <napi.h>

#include <vector>

#include "model/llama_runtime.h"

namespace infernode {

// { path, reason } of each backend file that must not be loaded.
std::vector<RefusedBackend> refused_backends_from(const Napi::Value& value);

Napi::Value devices(const Napi::CallbackInfo& info);
Napi::Value backends(const Napi::CallbackInfo& info);
// May be called before start(); the first call may take some hundred milliseconds.
Napi::Value nvidia_driver_of(const Napi::CallbackInfo& info);
// The CPU's features, and the CPUs and memory that the container or host leaves to this process.
Napi::Value host(const Napi::CallbackInfo& info);

}  // namespace infernode
