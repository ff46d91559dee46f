// Power draw and energy of NVIDIA GPUs, through the driver's NVML, which is opened on first use and
// may be missing. Any thread; a call may take some milliseconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace infernode {

// One GPU's current figures.
struct GpuPower {
  std::string name;
  std::string bus;     // "00000000:01:00.0"; distinguishes GPUs of the same name
  double watts = -1;   // -1: the GPU does not report it
  double joules = -1;  // since the driver was loaded; -1: the GPU has no counter
};

// All GPUs in NVML's order, which is by bus id.
struct GpuPowerReading {
  std::string problem;  // why there is none; "" if there are some
  std::vector<GpuPower> gpus;
};

[[nodiscard]] GpuPowerReading read_gpu_power();

}  // namespace infernode
