// The options and the statistics of an engine. Values only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "core/drafting/drafting.h"
#include "core/scheduling/endings.h"
#include "core/scheduling/pass_runner.h"
#include "core/scheduling/seating.h"

namespace infernode {

struct EngineConfig {
  std::size_t queue_limit = 1024;  // living requests (waiting and running), at most
  std::int32_t sampler_helpers = 0;
  double inter_token_latency_ms = 100;
  // Steps shorter than this share a publication, unless one has a first token or an end, or no
  // other step follows. Only tests set it.
  double publish_interval_ms = 10;
  DraftingConfig drafting = {};
  // Check the books after each step, not only when the engine becomes idle. Only tests set it.
  bool check_ledger = false;
  CacheConfig cache{
      .keeps_prefixes = true, .host_limit = std::size_t{1} << 30, .deterministic = false};
};

// Throws Error(kInvalidOption) where the options require what the backend's devices do not do.
inline void check_against(const BackendFacts& facts, const EngineConfig& config) {
  if (config.cache.deterministic && !facts.not_repeatable.empty())
    throw Error(ErrorCode::kInvalidOption, facts.not_repeatable);
}

struct EngineStats : PassStats, DraftingStats, TokenStats, SeatingStats {
  std::int32_t running = 0;
  std::int32_t waiting = 0;
  std::int64_t steps = 0;
  std::int64_t cells_total = 0;
  CacheStats cache;
  std::int64_t setups_reused = 0;
  double plan_ms = 0;
  double sample_ms = 0;
  double emit_ms = 0;
  double overlapped_ms = 0;  // of host work that was done while a pass was computed
  double other_ms = 0;       // of steps, in neither passes nor the choice of tokens
};

}  // namespace infernode
