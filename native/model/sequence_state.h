// Validates the bytes of a saved sequence state as llama.cpp writes them
// (llama_kv_cache::state_write, llama_memory_recurrent::state_write, v0.5.0) before llama.cpp reads
// them, because it reserves as many cells as the state declares. Values are not validated. Standard
// library only; pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "core/types.h"
#include "model/cache_kind.h"

namespace infernode {

struct SequenceForm {
  CacheKind kind = CacheKind::kFull;
  std::uint32_t streams = 1;  // of the context's cache
};

// Whether these bytes can be the state of `tokens` tokens. The format of caches of kind kOwn is
// unknown: always true. For recurrent layers it checks cells and positions.
[[nodiscard]] bool has_sequence_form(std::span<const std::uint8_t> state, const SequenceForm& form,
                                     Position tokens);

}  // namespace infernode
