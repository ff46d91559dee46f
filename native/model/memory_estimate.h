// What a model and an engine take, and whether that fits: values, and the rules
// behind "too big" sentences. llama_dry_run measures the numbers. Standard library
// only; pure functions. Any thread may call them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace infernode {

enum class KvType { kF16, kF32, kBF16, kQ8_0, kQ4_0 };

// Of blocks that share a scale: llama.cpp reads such values in fused attention only.
[[nodiscard]] constexpr bool is_quantized(KvType type) {
  return type == KvType::kQ8_0 || type == KvType::kQ4_0;
}

struct EngineShape {
  std::int32_t slots = 1;
  std::int32_t context_length = 0;  // per slot; rounded up to 256 as llama.cpp does
  std::int32_t prefill_chunk = 512;
  KvType kv_type = KvType::kF16;
  bool flash_attention = true;
  bool whole_windows = false;  // sliding layers keep every position
  std::int32_t cells = 0;      // of one pool for all slots; 0: a stream for each
  bool speculation = false;    // room for logits of guessed rows
  bool kv_offload = true;      // keys and values lie where their layer does, else in host memory
};

// Sequence ids beyond the slots in one pool of cells, for cached prefixes alone.
std::int32_t idle_sequences(std::int32_t slots);

// What lies on one device, in bytes of its own memory.
struct DeviceMemory {
  std::string name;  // of DeviceInfo
  std::uint64_t weights = 0;
  std::uint64_t kv = 0;       // keys, values and recurrent states
  std::uint64_t compute = 0;  // graph buffers

  [[nodiscard]] std::uint64_t sum() const { return weights + kv + compute; }
};

// A model's weights by where they lie.
struct WeightMemory {
  std::uint64_t mappable = 0;              // host memory as they are in the file
  std::uint64_t repacked = 0;              // host memory in another layout, a private copy
  std::vector<DeviceMemory> devices = {};  // the placement's, in its order, also those without any

  [[nodiscard]] std::uint64_t on_devices() const;
  [[nodiscard]] std::uint64_t sum() const { return mappable + repacked + on_devices(); }
};

struct MemoryNeeded {
  std::uint64_t kv_bytes = 0;       // keys, values and recurrent states
  std::uint64_t compute_bytes = 0;  // graph buffers and logits
  std::uint64_t weight_bytes = 0;
  std::uint64_t host_bytes = 0;  // of kv_bytes and compute_bytes: in host memory
  // What of all three lies on a device, in the placement's order; the rest is the host's.
  std::vector<DeviceMemory> devices = {};
};

// Adds what another takes, device by device; those that are not there yet come behind.
void add_devices(std::vector<DeviceMemory>& devices, const std::vector<DeviceMemory>& more);

// Memory of one device, as it says itself. `total` 0: it does not.
struct DeviceRoom {
  std::string name;
  std::uint64_t free = 0;
  std::uint64_t total = 0;
};

// Memory that is free.
struct MemoryRoom {
  std::uint64_t host = 0;  // 0: unknown
  std::vector<DeviceRoom> devices = {};
};

// Throws Error(kOutOfMemory) with both numbers where the weights of the model `label`
// cannot fit. The rule, with W the bytes for one place:
//   each device               W + 256 MiB must be free, for its driver's own and staging
//   host, read into memory    W + 64 MiB must be available
//   host, memory-mapped       the same for what the backend repacks; the rest is
//                             page cache the kernel can drop, refused only beyond
//                             four times the available memory, where every pass
//                             would read the disk
void check_weights_fit(const std::string& label, const WeightMemory& weights, bool memory_map,
                       const MemoryRoom& room);

// Throws Error(kOutOfMemory) for the first device on which the KV cache and the passes of
// `what` ("A context of 4 slots with 4096 tokens each") cannot fit: both and 64 MiB must be
// free there. Weights are not judged, they lie there already.
void check_context_fits(const std::string& what, const MemoryNeeded& needed,
                        const MemoryRoom& room);

// Host memory for evicted prefixes where nobody chose: a quarter of the host memory
// that an engine of these needs leaves, at most as much as the weights and the KV
// cache take, at most 1 GiB. `available` is that before the engine is made; 0: unknown.
std::uint64_t default_host_cache_bytes(const MemoryNeeded& engine, std::uint64_t available);

}  // namespace infernode
