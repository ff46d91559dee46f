// The kind of cache (KV cells, sliding window, recurrent state) that a model's layers use, which
// decides whether a sequence can be truncated and how sequences may share a prefix. Standard
// library only; pure functions.
#pragma once

#include <string_view>

namespace infernode {

struct ModelInfo;

enum class CacheKind {
  kFull,       // every layer caches every position
  kWindow,     // some layers cache the latest positions only
  kRecurrent,  // one state per sequence, that of its last position
  kHybrid,     // attention and recurrent layers
  kOwn,        // a cache of the architecture's own, which cannot be asked what it holds
};

CacheKind cache_kind(const ModelInfo& model);
// "full", "window", "recurrent", "hybrid", "own"
std::string_view cache_kind_name(CacheKind kind);

}  // namespace infernode
