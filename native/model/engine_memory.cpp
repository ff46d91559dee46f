#include "model/engine_memory.h"

#include <vector>

#include "model/adapter_memory.h"
#include "model/gguf_file.h"
#include "model/llama_draft.h"
#include "model/llama_memory_sizes.h"

namespace infernode {

namespace {

void add_adapters(MemoryNeeded& needed, const LlamaModel& model, const ContextOptions& options) {
  if (options.loras.empty()) return;
  std::vector<GgufFile> adapters;
  for (const LoraOptions& lora : options.loras) {
    adapters.push_back(GgufFile::read(lora.path));
    needed.weight_bytes += adapters.back().weight_bytes();
  }
  std::vector<DeviceMemory> places =
      adapter_memory(adapters, model.info().devices, options.shape());
  for (const DeviceMemory& place : places) needed.compute_bytes += place.compute;
  needed.host_bytes += places.back().compute;
  places.pop_back();
  add_devices(needed.devices, places);
}

}  // namespace

MemoryNeeded engine_memory(const LlamaModel& model, const LlamaModel* draft,
                           const ContextOptions& options) {
  MemoryNeeded needed = model.memory_needed(options.shape());
  add_adapters(needed, model, options);
  if (draft == nullptr) return needed;
  const MemoryNeeded more = draft->memory_needed(draft_context(*draft, options).shape());
  needed.kv_bytes += more.kv_bytes;
  needed.compute_bytes += more.compute_bytes;
  needed.host_bytes += more.host_bytes;
  if (draft != &model) {
    needed.weight_bytes += more.weight_bytes;
    needed.vocabulary_bytes += more.vocabulary_bytes;
  }
  std::vector<DeviceMemory> devices = more.devices;
  if (draft == &model)
    for (DeviceMemory& device : devices) device.weights = 0;
  add_devices(needed.devices, devices);
  return needed;
}

void check_engine_fits(const LlamaModel& model, const LlamaModel* draft,
                       const ContextOptions& options) {
  check_context_fits(options.described() + (draft == nullptr ? "" : " and its draft model's"),
                     engine_memory(model, draft, options), memory_room());
}

}  // namespace infernode
