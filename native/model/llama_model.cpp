#include "model/llama_model.h"

#include <chrono>
#include <utility>

#include "model/llama_dry_run.h"
#include "model/llama_memory_sizes.h"

namespace infernode {

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

std::shared_ptr<const LlamaModel> LlamaModel::load(const LoadOptions& options,
                                                   const ProgressCallback& progress,
                                                   const std::atomic<bool>& cancelled) {
  const Clock::time_point start = Clock::now();
  const std::shared_ptr<LlamaModel> model(new LlamaModel(load_model(options, progress, cancelled)));
  model->info_.load_milliseconds = milliseconds_since(start);
  return model;
}

LlamaModel::LlamaModel(LoadedModel loaded)
    : file_(std::move(*loaded.file)),
      handle_(std::move(loaded.handle)),
      dry_run_(std::move(loaded.dry_run)),
      weights_(std::move(loaded.weights)),
      info_(std::move(loaded.info)),
      rank_head_(std::move(loaded.rank_head)),
      vocab_(std::move(loaded.vocab)) {}

LlamaModel::~LlamaModel() = default;

MemoryNeeded LlamaModel::memory_needed(const EngineShape& shape) const {
  MemoryNeeded needed = dry_run_->context(shape);
  needed.weight_bytes = weights_.sum();
  needed.vocabulary_bytes = weights_.vocabulary;
  add_devices(needed.devices, weights_.devices);
  return needed;
}

}  // namespace infernode
