// The declarations are those of NVML's published interface, as far as they are used.
#include "model/gpu_power.h"

#include <dlfcn.h>

namespace infernode {

namespace {

constexpr const char* kLibrary = "libnvidia-ml.so.1";
constexpr int kSuccess = 0;
constexpr unsigned kNameBytes = 96;
constexpr double kMillisPerUnit = 1000.0;

using Device = void*;

// nvmlPciInfo_t, version 3.
struct PciInfo {
  char legacy_bus[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char bus_id[32];
};

struct Library {
  std::string problem = "NVIDIA's driver is not installed: libnvidia-ml.so.1 cannot be opened.";
  int (*count)(unsigned*) = nullptr;
  int (*handle)(unsigned, Device*) = nullptr;
  int (*name)(Device, char*, unsigned) = nullptr;
  int (*pci)(Device, PciInfo*) = nullptr;                // null: missing in this driver
  int (*power)(Device, unsigned*) = nullptr;             // milliwatts
  int (*energy)(Device, unsigned long long*) = nullptr;  // millijoules; null before Volta
};

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
}

// Stays open until the process ends, as the driver expects.
Library open_library() {
  Library library;
  void* opened = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) return library;
  int (*start)() = nullptr;
  find(opened, "nvmlInit_v2", start);
  find(opened, "nvmlDeviceGetCount_v2", library.count);
  find(opened, "nvmlDeviceGetHandleByIndex_v2", library.handle);
  find(opened, "nvmlDeviceGetName", library.name);
  find(opened, "nvmlDeviceGetPciInfo_v3", library.pci);
  find(opened, "nvmlDeviceGetPowerUsage", library.power);
  find(opened, "nvmlDeviceGetTotalEnergyConsumption", library.energy);
  const bool whole = start != nullptr && library.count != nullptr && library.handle != nullptr &&
                     library.name != nullptr && library.power != nullptr;
  if (!whole) {
    library.problem = "libnvidia-ml.so.1 lacks a function that every version has.";
    return library;
  }
  const int status = start();
  library.problem =
      status == kSuccess ? "" : "NVML does not start: its error " + std::to_string(status) + ".";
  return library;
}

const Library& library() {
  static const Library opened = open_library();
  return opened;
}

GpuPower power_of(const Library& nvml, Device device) {
  GpuPower gpu;
  char name[kNameBytes] = {};
  if (nvml.name(device, name, kNameBytes) == kSuccess) gpu.name = name;
  PciInfo pci = {};
  if (nvml.pci != nullptr && nvml.pci(device, &pci) == kSuccess) gpu.bus = pci.bus_id;
  unsigned milliwatts = 0;
  if (nvml.power(device, &milliwatts) == kSuccess) gpu.watts = milliwatts / kMillisPerUnit;
  unsigned long long millijoules = 0;
  if (nvml.energy != nullptr && nvml.energy(device, &millijoules) == kSuccess)
    gpu.joules = static_cast<double>(millijoules) / kMillisPerUnit;
  return gpu;
}

}  // namespace

GpuPowerReading read_gpu_power() {
  const Library& nvml = library();
  GpuPowerReading reading{nvml.problem, {}};
  if (!reading.problem.empty()) return reading;
  unsigned count = 0;
  if (nvml.count(&count) != kSuccess) reading.problem = "NVML does not count the GPUs.";
  for (unsigned index = 0; index < count; ++index) {
    Device device = nullptr;
    if (nvml.handle(index, &device) == kSuccess) reading.gpus.push_back(power_of(nvml, device));
  }
  if (reading.problem.empty() && reading.gpus.empty()) reading.problem = "NVML names no GPU.";
  return reading;
}

}  // namespace infernode
