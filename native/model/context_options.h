// The options of an engine's context. Values only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/memory_estimate.h"

namespace infernode {

struct LoraOptions {
  std::string name;    // the name by which requests choose it
  std::string path;    // path of the adapter's GGUF file
  float scale = 1.0f;  // factor of the difference; 0: none
};

struct ContextOptions {
  std::int32_t slots = 1;
  std::int32_t context_length = 0;  // positions per slot
  std::int32_t cells = 0;           // cells of one pool for all slots; 0: one stream per slot
  std::int32_t prefill_chunk = 512;
  std::int32_t threads = 1;
  KvType kv_type = KvType::kF16;
  bool flash_attention = true;
  std::vector<LoraOptions> loras;  // each path at most once
  bool speculation = false;        // reserves room for the logits of drafted rows
  // Sliding-window layers keep every position, in order, so that sums are equal to the bit whatever
  // was in the cache before.
  bool whole_windows = false;
  bool kv_offload = true;  // keys and values are stored where their layer is, else in host memory

  EngineShape shape() const {
    return {slots,         context_length, prefill_chunk, kv_type,   flash_attention,
            whole_windows, cells,          speculation,   kv_offload};
  }
  // "A context of 4 slots with 4096 tokens each".
  [[nodiscard]] std::string described() const;
};

}  // namespace infernode
