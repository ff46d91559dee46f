#include "model/memory_estimate.h"

#include <algorithm>

#include "core/types.h"
#include "model/gguf_parser.h"

namespace infernode {

namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kHostMargin = 64 * kMiB;  // graphs, tokenizer, allocator
constexpr std::uint64_t kGpuMargin = 256 * kMiB;  // context, staging, fragmentation
constexpr std::uint64_t kMappedFactor = 4;
constexpr std::int32_t kMostSequences = 256;  // of llama.cpp (LLAMA_MAX_SEQ)
constexpr std::uint64_t kMostHostCache = 1024 * kMiB;
constexpr std::uint64_t kHostCacheShare = 4;  // a quarter: Node, its heap and other engines grow

std::string in_mib(std::uint64_t bytes) {
  return std::to_string((bytes + kMiB - 1) / kMiB) + " MiB";
}

[[noreturn]] void refuse_size(const std::string& label, const std::string& what,
                              std::uint64_t needed, const std::string& where, std::uint64_t free,
                              const std::string& remedy) {
  throw Error(ErrorCode::kOutOfMemory, quoted_path(label) + " needs " + in_mib(needed) + what +
                                           ", " + in_mib(free) + " are free" + where + "; " +
                                           remedy + ".");
}

}  // namespace

std::int32_t idle_sequences(std::int32_t slots) { return std::min(slots, kMostSequences - slots); }

void check_weights_fit(const std::string& label, const WeightMemory& weights, bool memory_map,
                       const MemoryRoom& room) {
  const std::uint64_t gpu = weights.gpu + kGpuMargin * room.gpu_count;
  if (weights.gpu > 0 && gpu > room.gpu) {
    refuse_size(label, " of GPU memory", gpu, " on the GPU", room.gpu,
                "lower gpuLayers or use a smaller quantization");
  }
  if (room.host == 0) return;
  const std::uint64_t copied = weights.repacked + (memory_map ? 0 : weights.mappable);
  if (copied + kHostMargin > room.host) {
    refuse_size(label, " of memory", copied + kHostMargin, "", room.host,
                "use a smaller quantization or a host with more memory");
  }
  if (memory_map && weights.mappable / kMappedFactor > room.host) {
    refuse_size(label, " of page cache", weights.mappable, "", room.host,
                "memory-mapped weights over four times the free memory would be read from disk in "
                "every step");
  }
}

std::uint64_t default_host_cache_bytes(const MemoryNeeded& engine, std::uint64_t available) {
  const std::uint64_t most = std::min(kMostHostCache, engine.weight_bytes + engine.kv_bytes);
  if (available == 0) return most;
  const std::uint64_t left = available - std::min(available, engine.host_bytes);
  return std::min(most, left / kHostCacheShare);
}

}  // namespace infernode
