// What NVIDIA's GPUs draw, told by the driver's NVML, which is opened when it is first asked for:
// no machine must have it. Any thread; a call may take some milliseconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace infernode {

// One GPU, now.
struct GpuPower {
  std::string name;
  std::string bus;     // "00000000:01:00.0", to tell equal GPUs apart
  double watts = -1;   // -1: the GPU does not tell
  double joules = -1;  // since the driver was loaded; -1: the GPU has no counter
};

// All GPUs in NVML's order, which is the bus's.
struct GpuPowerReading {
  std::string problem;  // why there is none; "": there are some
  std::vector<GpuPower> gpus;
};

[[nodiscard]] GpuPowerReading read_gpu_power();

}  // namespace infernode
