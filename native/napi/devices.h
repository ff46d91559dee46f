// What the machine has to compute with, as JavaScript asks for it: devices, the backends' files,
// NVIDIA's driver, the CPU. JavaScript thread only.
#pragma once

#include <napi.h>

#include <vector>

#include "model/llama_runtime.h"

namespace infernode {

// { path, reason } of each backend that is not to be loaded.
std::vector<RefusedBackend> refused_backends_from(const Napi::Value& value);

Napi::Value devices(const Napi::CallbackInfo& info);
Napi::Value backends(const Napi::CallbackInfo& info);
// Works before start(); the first call may take some hundred milliseconds.
Napi::Value nvidia_driver_of(const Napi::CallbackInfo& info);
// The CPU's features and what the container or host has left.
Napi::Value host(const Napi::CallbackInfo& info);

}  // namespace infernode
