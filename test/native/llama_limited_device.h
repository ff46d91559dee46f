// The limited device (limited_device/) in a native test: loaded beside the CPU backend, its
// memory and its faults in the test's hands. Two devices, Limited0 and Limited1.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "ggml-backend.h"
#include "limited_device/limited_device.h"
#include "model/llama_runtime.h"

namespace infernode {

constexpr std::int32_t kAllLayers = -1;  // Placement::gpu_layers

// Starts the runtime with both devices, and gives each `bytes` of memory and no fault.
inline LimitedDevices& limited_devices(std::uint64_t bytes = std::uint64_t{1} << 30) {
  setenv("INFERNODE_LIMITED_DEVICES", "2", 1);
  start_llama_runtime(INFERNODE_TEST_BACKENDS, {INFERNODE_LIMITED_DEVICE});
  ggml_backend_dev_t device = ggml_backend_dev_by_name("Limited0");
  if (device == nullptr) throw std::runtime_error("the limited device was not loaded");
  auto* state = static_cast<LimitedDevices*>(
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), kLimitedDevicesProc));
  for (LimitedDevices::Memory& memory : state->memory) {
    memory.limit = bytes;
    memory.most = memory.used.load();
    memory.refusals = 0;
  }
  for (LimitedFault* fault : {&state->compute, &state->allocation}) fault->at = fault->calls = 0;
  state->manner = LimitedManner::kFails;
  return *state;
}

}  // namespace infernode
