// A Model: weights and vocabulary, loaded once, immutable afterwards, owned through a shared_ptr by
// every engine that uses it. Creates no context; llama_backend does. Every const method may be
// called from any thread at any time.
#pragma once

#include <atomic>
#include <memory>
#include <shared_mutex>

#include "core/sampling/rank_head.h"
#include "model/gguf_file.h"
#include "model/llama_handles.h"
#include "model/llama_load.h"
#include "model/llama_model_info.h"
#include "model/llama_vocab.h"
#include "model/memory_estimate.h"

struct llama_model;

namespace infernode {

class LlamaDryRun;

class LlamaModel {
 public:
  // Blocks, and throws, as load_model() does.
  static std::shared_ptr<const LlamaModel> load(const LoadOptions& options,
                                                const ProgressCallback& progress,
                                                const std::atomic<bool>& cancelled);

  ~LlamaModel();
  LlamaModel(const LlamaModel&) = delete;
  LlamaModel& operator=(const LlamaModel&) = delete;

  const ModelInfo& info() const { return info_; }
  // The header: metadata and tensors (of the first part of a split model).
  const GgufFile& file() const { return file_; }
  const LlamaVocab& vocab() const { return *vocab_; }
  // Null if the model is not a reranker.
  const std::shared_ptr<const RankHead>& rank_head() const { return rank_head_; }

  // Memory of an engine of this shape, by llama.cpp's own sizing, in a few milliseconds. Throws
  // Error(kInvalidOption) if llama.cpp cannot make a context of this shape.
  MemoryNeeded memory_needed(const EngineShape& shape) const;

  // The bytes of its weights on the host and on each device of its placement.
  const WeightMemory& weight_memory() const { return weights_; }

  // llama.cpp keeps a model's LoRA adapters in a set without a lock. Loading or freeing an adapter
  // takes this lock exclusively; creating a context, or computing its first pass with changed
  // adapters, takes it shared, because both read the set.
  std::shared_mutex& adapter_mutex() const { return adapter_mutex_; }

  // For llama_backend, which creates contexts on it. Lives as long as this object.
  llama_model* handle() const { return handle_.get(); }

 private:
  explicit LlamaModel(LoadedModel loaded);

  GgufFile file_;
  ModelHandle handle_;
  std::unique_ptr<const LlamaDryRun> dry_run_;
  WeightMemory weights_;
  ModelInfo info_;
  std::shared_ptr<const RankHead> rank_head_;
  std::unique_ptr<const LlamaVocab> vocab_;
  mutable std::shared_mutex adapter_mutex_;
};

}  // namespace infernode
