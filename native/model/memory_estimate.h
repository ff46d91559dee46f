// How many bytes a model and an engine on it take, from the header alone, and
// whether that fits: the arithmetic behind "too big" sentences. Standard
// library only. Pure functions but for reading free memory.
// Any thread may call them.
#pragma once

#include <cstdint>
#include <span>

#include "model/gguf_file.h"

namespace infernode {

enum class KvType { kF16, kF32, kQ8_0 };

// What an engine takes on top of each other. kv_bytes is exact for attention
// with full caches and for sliding windows in known patterns, an upper bound
// for others; compute_bytes is an estimate from above.
struct MemoryNeeded {
  std::uint64_t kv_bytes = 0;
  std::uint64_t compute_bytes = 0;
  std::uint64_t weight_bytes = 0;
};

// Ids beyond the slots in one pool of cells, for beginnings that nobody computes with.
std::int32_t idle_sequences(std::int32_t slots);

struct EngineShape {
  std::int32_t slots = 1;
  std::int32_t context_length = 0;  // per slot; rounded up to 256 as llama.cpp does
  std::int32_t prefill_chunk = 512;
  KvType kv_type = KvType::kF16;
  bool flash_attention = true;
  bool whole_windows = false;  // sliding layers keep every position
  std::int32_t cells = 0;      // of one pool for all slots; 0: a stream for each
};

MemoryNeeded estimate_memory(const GgufFile& file, const EngineShape& shape);

// Where weights are to go, and the room there.
struct WeightPlacement {
  std::int32_t gpu_layers = 0;  // -1: all
  bool memory_map = true;
  std::uint64_t host_free = 0;  // 0: unknown
  std::uint64_t gpu_free = 0;   // of all GPUs together
  std::size_t gpu_count = 0;
};

// Throws Error(kOutOfMemory) with both numbers where the weights of `parts`
// cannot fit. The rule, with W the bytes for one place:
//   GPU                       W + 256 MiB per GPU must be free
//   host, read into memory    W + 64 MiB must be available
//   host, memory-mapped       the same for the tensors llama.cpp repacks for
//                             the CPU (a private copy); the rest is page
//                             cache the kernel can drop, refused only beyond
//                             four times the available memory, where every
//                             pass would read the disk
void check_weights_fit(std::span<const GgufFile> parts, const WeightPlacement& placement);

}  // namespace infernode
