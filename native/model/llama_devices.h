// The devices of the loaded backends, and what the loaded CPU backend computes with. Nothing is
// found before start_llama_runtime() has succeeded. Any thread may call these functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace infernode {

enum class DeviceType { kCpu, kGpu, kIntegratedGpu, kAccelerator };

struct DeviceInfo {
  std::string name;
  std::string backend;  // "CUDA", "Vulkan", "CPU"
  std::string description;
  DeviceType type = DeviceType::kCpu;
  bool splits_rows = false;  // its backend has a buffer type for SplitMode::kRow
  std::uint64_t memory_total = 0;
  std::uint64_t memory_free = 0;
};

// All devices of the loaded backends, CPU first; empty before the start.
std::vector<DeviceInfo> llama_devices();

// CPU features that the loaded CPU backend was built for and uses, e.g. "AVX2".
std::vector<std::string> llama_cpu_features();

// infernode's routines (native/cpu) that the loaded CPU backend uses in place of ggml's.
std::vector<std::string> llama_cpu_kernels();

}  // namespace infernode
