// Reads a model's rank head from its file: the matrix that llama.cpp would apply in a context made
// for ranking only. infernode ranks in the same passes that generate.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "core/sampling/rank_head.h"
#include "model/gguf_file.h"
#include "model/virtual_file.h"

namespace infernode {

// Null if the model has no rank head, or one with a single label, which cannot rank. `open` returns
// a part's bytes. Throws Error(kModelUnreadable).
std::shared_ptr<const RankHead> read_rank_head(
    std::span<const GgufFile> parts, const std::function<FileHandle(const GgufFile&)>& open);

}  // namespace infernode
