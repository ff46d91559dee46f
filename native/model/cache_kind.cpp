#include "model/cache_kind.h"

#include <algorithm>
#include <array>

#include "model/llama_model.h"

namespace infernode {

CacheKind cache_kind(const ModelInfo& model) {
  constexpr std::array<std::string_view, 2> kOwnMemory = {"deepseek4", "dots3note"};
  if (model.hybrid) return CacheKind::kHybrid;
  if (model.recurrent) return CacheKind::kRecurrent;
  if (std::ranges::find(kOwnMemory, model.architecture) != kOwnMemory.end()) return CacheKind::kOwn;
  return model.sliding_window > 0 ? CacheKind::kWindow : CacheKind::kFull;
}

std::string_view cache_kind_name(CacheKind kind) {
  switch (kind) {
    case CacheKind::kFull:
      return "full";
    case CacheKind::kWindow:
      return "window";
    case CacheKind::kRecurrent:
      return "recurrent";
    case CacheKind::kHybrid:
      return "hybrid";
    case CacheKind::kOwn:
      break;
  }
  return "own";
}

}  // namespace infernode
