#include "model/engine_memory.h"

#include "model/gguf_file.h"
#include "model/llama_draft.h"
#include "model/llama_memory_sizes.h"

namespace infernode {

MemoryNeeded engine_memory(const LlamaModel& model, const LlamaModel* draft,
                           const ContextOptions& options) {
  MemoryNeeded needed = model.memory_needed(options.shape());
  for (const LoraOptions& lora : options.loras)
    needed.weight_bytes += GgufFile::read(lora.path).weight_bytes();
  if (draft == nullptr) return needed;
  const MemoryNeeded more = draft->memory_needed(draft_context(*draft, options).shape());
  needed.kv_bytes += more.kv_bytes;
  needed.compute_bytes += more.compute_bytes;
  needed.host_bytes += more.host_bytes;
  if (draft != &model) needed.weight_bytes += more.weight_bytes;
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
