// What a model remembers of a sequence, which decides what can be had of it again
// and how sequences may share it. Standard library only; pure functions.
#pragma once

#include <string_view>

namespace infernode {

struct ModelInfo;

enum class CacheKind {
  kFull,       // every layer keeps every position
  kWindow,     // some layers keep the latest positions
  kRecurrent,  // one state, of the last position
  kHybrid,     // attention and recurrent layers
  kOwn,        // more than these: it cannot be asked what it still has
};

CacheKind cache_kind(const ModelInfo& model);
// "full", "window", "recurrent", "hybrid", "own"
std::string_view cache_kind_name(CacheKind kind);

}  // namespace infernode
