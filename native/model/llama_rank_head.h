// Reads a model's rank head out of its file: the rows that llama.cpp would apply
// in a context made for ranking alone. Ours ranks in the passes of generations.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "core/sampling/rank_head.h"
#include "model/gguf_file.h"
#include "model/virtual_file.h"

namespace infernode {

// Null where the model has none, or one of a single label, which says nothing.
// `open` gives a part's bytes. Throws Error(kModelUnreadable).
std::shared_ptr<const RankHead> read_rank_head(
    std::span<const GgufFile> parts, const std::function<FileHandle(const GgufFile&)>& open);

}  // namespace infernode
