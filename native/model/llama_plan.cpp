#include "model/llama_plan.h"

#include "model/host_limits.h"
#include "model/llama_dry_run.h"

namespace infernode {

std::vector<MemoryNeeded> plan_memory(const LoadOptions& options,
                                      std::span<const EngineShape> shapes) {
  const LlamaDryRun dry_run(read_model_headers(options), {});
  const WeightMemory weights = dry_run.weights();
  std::vector<MemoryNeeded> all;
  for (const EngineShape& shape : shapes) {
    all.push_back(dry_run.context(shape));
    all.back().weight_bytes = weights.sum();
    all.back().vocabulary_bytes = weights.vocabulary;
  }
  return_freed_memory();
  return all;
}

}  // namespace infernode
