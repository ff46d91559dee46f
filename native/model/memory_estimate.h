// What a model and an engine take, and whether that fits: values, and the rules
// behind "too big" sentences. llama_dry_run measures the numbers. Standard library
// only; pure functions. Any thread may call them.
#pragma once

#include <cstdint>
#include <string>

namespace infernode {

enum class KvType { kF16, kF32, kQ8_0 };

struct EngineShape {
  std::int32_t slots = 1;
  std::int32_t context_length = 0;  // per slot; rounded up to 256 as llama.cpp does
  std::int32_t prefill_chunk = 512;
  KvType kv_type = KvType::kF16;
  bool flash_attention = true;
  bool whole_windows = false;  // sliding layers keep every position
  std::int32_t cells = 0;      // of one pool for all slots; 0: a stream for each
  bool speculation = false;    // room for logits of guessed rows
};

// Sequence ids beyond the slots in one pool of cells, for cached prefixes alone.
std::int32_t idle_sequences(std::int32_t slots);

// A model's weights by where they lie.
struct WeightMemory {
  std::uint64_t mappable = 0;  // host memory as they are in the file
  std::uint64_t repacked = 0;  // host memory in another layout, a private copy
  std::uint64_t gpu = 0;
};

struct MemoryNeeded {
  std::uint64_t kv_bytes = 0;       // keys, values and recurrent states
  std::uint64_t compute_bytes = 0;  // graph buffers and logits
  std::uint64_t weight_bytes = 0;
  std::uint64_t host_bytes = 0;  // of kv_bytes and compute_bytes: in host memory
};

// Memory that is free.
struct MemoryRoom {
  std::uint64_t host = 0;  // 0: unknown
  std::uint64_t gpu = 0;   // of all GPUs together
  std::size_t gpu_count = 0;
};

// Throws Error(kOutOfMemory) with both numbers where the weights of the model `label`
// cannot fit. The rule, with W the bytes for one place:
//   GPU                       W + 256 MiB per GPU must be free
//   host, read into memory    W + 64 MiB must be available
//   host, memory-mapped       the same for what the backend repacks; the rest is
//                             page cache the kernel can drop, refused only beyond
//                             four times the available memory, where every pass
//                             would read the disk
void check_weights_fit(const std::string& label, const WeightMemory& weights, bool memory_map,
                       const MemoryRoom& room);

// Host memory for evicted prefixes where nobody chose: a quarter of the host memory
// that an engine of these needs leaves, at most as much as the weights and the KV
// cache take, at most 1 GiB. `available` is that before the engine is made; 0: unknown.
std::uint64_t default_host_cache_bytes(const MemoryNeeded& engine, std::uint64_t available);

}  // namespace infernode
