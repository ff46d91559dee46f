// NVML's functions that are used, of two GPUs. The first counts energy, 1 J a millisecond; the second
// tells power alone, 250 W. NVML_STUB=silent: the driver does not start.
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct pci_info {
  char legacy_bus[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char bus_id[32];
};

static long index_of(void* device) { return (long)device - 1; }

int nvmlInit_v2(void) {
  const char* mode = getenv("NVML_STUB");
  return mode != 0 && strcmp(mode, "silent") == 0 ? 9 : 0;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = (void*)(long)(index + 1);
  return 0;
}
int nvmlDeviceGetName(void* device, char* name, unsigned bytes) {
  strncpy(name, index_of(device) == 0 ? "Stub A100" : "Stub L4", bytes);
  return 0;
}
int nvmlDeviceGetPciInfo_v3(void* device, struct pci_info* info) {
  strcpy(info->bus_id, index_of(device) == 0 ? "00000000:01:00.0" : "00000000:02:00.0");
  return 0;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts) {
  *milliwatts = index_of(device) == 0 ? 1000000 : 250000;
  return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
  struct timespec now;
  if (index_of(device) != 0) return 3;  // not supported
  clock_gettime(CLOCK_MONOTONIC, &now);
  *millijoules = (now.tv_sec * 1000ull + now.tv_nsec / 1000000ull) * 1000ull;
  return 0;
}
