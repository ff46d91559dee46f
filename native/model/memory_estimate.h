// Memory of a model and an engine, and whether it fits: values, and the rules behind the "too big"
// errors. llama_dry_run measures the numbers. Standard library only; pure functions. Any thread may
// call them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace infernode {

enum class KvType { kF16, kF32, kBF16, kQ8_0, kQ4_0 };

// Types whose values share a scale per block: llama.cpp supports them with flash attention only.
[[nodiscard]] constexpr bool is_quantized(KvType type) {
  return type == KvType::kQ8_0 || type == KvType::kQ4_0;
}

struct EngineShape {
  std::int32_t slots = 1;
  std::int32_t context_length = 0;  // per slot; rounded up to 256 as llama.cpp does
  std::int32_t prefill_chunk = 512;
  KvType kv_type = KvType::kF16;
  bool flash_attention = true;
  bool whole_windows = false;  // sliding-window layers keep every position
  std::int32_t cells = 0;      // cells of one pool for all slots; 0: one stream per slot
  bool speculation = false;    // reserves room for the logits of drafted rows
  bool kv_offload = true;  // keys and values are stored where their layer is, else in host memory
};

// Sequence ids beyond the slots, for cached prefixes; only with one pool of cells.
std::int32_t idle_sequences(std::int32_t slots);
// Most rows in one pass.
std::int32_t most_rows(const EngineShape& shape);
// Most rows with logits in one pass; each needs room for a whole vocabulary.
std::int32_t most_outputs(const EngineShape& shape);

// Bytes in one device's own memory.
struct DeviceMemory {
  std::string name;  // of DeviceInfo
  std::uint64_t weights = 0;
  std::uint64_t kv = 0;        // keys, values and recurrent states
  std::uint64_t compute = 0;   // compute graph buffers
  std::uint64_t adapters = 0;  // the part of `weights` that LoRA adapters take, loaded per engine

  [[nodiscard]] std::uint64_t sum() const { return weights + kv + compute; }
};

// A model's weights by place.
struct WeightMemory {
  std::uint64_t mappable = 0;  // in host memory exactly as in the file
  std::uint64_t repacked = 0;  // in host memory in another layout, a private copy
  // In the placement's order, including devices without weights.
  std::vector<DeviceMemory> devices = {};
  std::uint64_t vocabulary = 0;  // tables of tokens in host memory; no part of sum()

  [[nodiscard]] std::uint64_t on_devices() const;
  [[nodiscard]] std::uint64_t sum() const { return mappable + repacked + on_devices(); }
};

struct MemoryNeeded {
  std::uint64_t kv_bytes = 0;       // keys, values and recurrent states
  std::uint64_t compute_bytes = 0;  // compute graph buffers and logits
  std::uint64_t weight_bytes = 0;
  std::uint64_t host_bytes = 0;  // of kv_bytes and compute_bytes: the part in host memory
  // The part of all three on each device, in the placement's order; the rest is in host memory.
  std::vector<DeviceMemory> devices = {};
  std::uint64_t vocabulary_bytes = 0;  // tables of tokens in host memory; not in host_bytes
};

// Adds another's figures, device by device; unknown devices are appended.
void add_devices(std::vector<DeviceMemory>& devices, const std::vector<DeviceMemory>& more);

// Part of a sentence: "12 MiB", rounded up.
std::string in_mib(std::uint64_t bytes);

// A device's memory as it reports it. `total` 0: it does not.
struct DeviceRoom {
  std::string name;
  std::uint64_t free = 0;
  std::uint64_t total = 0;
};

// Free memory.
struct MemoryRoom {
  std::uint64_t host = 0;  // 0: unknown
  std::vector<DeviceRoom> devices = {};
};

// Throws Error(kOutOfMemory) with both numbers if the weights of the model `label` cannot fit. The
// rule, with W the bytes for one place:
//   each device               W + 256 MiB must be free, for its driver and staging buffers
//   host, read into memory    W, the vocabulary and 64 MiB must be available
//   host, memory-mapped       the same for weights that the backend repacks; the rest is
//                             page cache, which the kernel can drop: refused only beyond
//                             four times the available memory, where every pass
//                             would read the disk
void check_weights_fit(const std::string& label, const WeightMemory& weights, bool memory_map,
                       const MemoryRoom& room);

// Throws Error(kOutOfMemory) for the first device on which the KV cache, compute buffers and LoRA
// adapters of `what` ("A context of 4 slots with 4096 tokens each") do not fit: their sum and
// 64 MiB must be free there. The model's own weights are not counted, they are loaded already.
void check_context_fits(const std::string& what, const MemoryNeeded& needed,
                        const MemoryRoom& room);

// Default host memory for evicted prefixes: a quarter of the host memory that remains once such an
// engine exists, at most as much as the weights and the KV cache take, at most 1 GiB. `available`
// is the memory before the engine is created; 0: unknown.
std::uint64_t default_host_cache_bytes(const MemoryNeeded& engine, std::uint64_t available);

}  // namespace infernode
