// What a test sees of the limited device (limited_device.cpp), and how it makes it fail. The
// device's library hands out the one value of the process: see llama_limited_device.h.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace infernode {

constexpr int kMostLimitedDevices = 2;
// Of the library's registry: the address of its LimitedDevices.
constexpr const char* kLimitedDevicesProc = "infernode_limited_devices";

// Fails calls, counted from 1 over all devices, from `at` on; 0: none.
struct LimitedFault {
  std::atomic<std::int64_t> calls{0};
  std::atomic<std::int64_t> at{0};
  std::atomic<bool> once{false};  // only that call; false: every later one too

  [[nodiscard]] bool strikes() {
    const std::int64_t call = ++calls;
    const std::int64_t wanted = at.load();
    return wanted > 0 && (once.load() ? call == wanted : call >= wanted);
  }
};

enum class LimitedManner { kFails, kNoMemory, kThrows, kAborts };

struct LimitedDevices {
  struct Memory {
    std::atomic<std::uint64_t> limit{0};  // bytes the device has
    std::atomic<std::uint64_t> used{0};
    std::atomic<std::uint64_t> most{0};     // that were ever used together
    std::atomic<std::int64_t> refusals{0};  // allocations that found no room
  };
  std::array<Memory, kMostLimitedDevices> memory;
  LimitedFault compute;
  std::atomic<LimitedManner> manner{LimitedManner::kFails};  // of a failing computation
  LimitedFault allocation;
  // Bytes in the buffers that live on a device and have this usage (ggml_backend_buffer_usage):
  // 1 weights, 2 compute, 0 anything else, such as a KV cache.
  std::uint64_t (*lying)(int device, int usage) = nullptr;
};

}  // namespace infernode
