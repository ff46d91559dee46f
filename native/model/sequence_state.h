// The form of a sequence's state as llama.cpp writes it (llama_kv_cache::state_write,
// llama_memory_recurrent::state_write, v0.5.0), judged before llama.cpp reads it: it
// reserves as many cells as the state says it has. Values are not judged.
// Standard library only; pure functions.
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

// Whether these bytes can be the state of so many tokens. Of caches of kind kOwn the
// form is not known: always true. Of recurrent layers it knows cells and positions.
[[nodiscard]] bool has_sequence_form(std::span<const std::uint8_t> state, const SequenceForm& form,
                                     Position tokens);

}  // namespace infernode
