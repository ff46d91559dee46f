// Loads a model's weights with llama.cpp: header, rules, parts, memory, page cache, then llama.cpp
// under a log capture and an abort guard. Refuses a file (gguf_file, model_rules, memory) before
// llama.cpp sees it, and maps llama.cpp's failures to error codes. Blocks as long as the disk
// takes: call it on a worker thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint_file.h"
#include "core/sampling/rank_head.h"
#include "model/gguf_file.h"
#include "model/llama_handles.h"
#include "model/llama_model_info.h"
#include "model/llama_vocab.h"
#include "model/memory_estimate.h"
#include "model/placement.h"
#include "model/synthetic_shape.h"

namespace infernode {

class LlamaDryRun;

struct LoadOptions {
  std::string path;  // of the GGUF file; the first part of a split model
  Placement placement = {};
  bool memory_map = true;
  // Generated instead of read; `path` is then its reference.
  std::optional<SyntheticShape> synthetic = {};
  std::optional<CheckpointOptions> checkpoint = {};  // a Hugging Face directory at `path`
};

// A fraction from 0 to 1, never decreasing, reported on the thread that loads; at most one
// call per hundredth. Must not throw.
using ProgressCallback = std::function<void(float fraction)>;

// The results of a load.
struct LoadedModel {
  LoadedModel();
  LoadedModel(LoadedModel&&) noexcept;
  ~LoadedModel();

  std::optional<GgufFile> file;  // of the first part of a split model; without its arrays' bytes
  ModelHandle handle;
  std::unique_ptr<const LlamaVocab> vocab;
  std::unique_ptr<const LlamaDryRun> dry_run;
  WeightMemory weights;
  ModelInfo info;
  std::shared_ptr<const RankHead> rank_head;  // null if the model is not a reranker
};

// start_llama_runtime() must have succeeded. Throws Error: GgufFile's codes,
// kModelArchitectureUnsupported, kOutOfMemory, kCancelled (soon after `cancelled` becomes true) or
// kModelLoadFailed.
LoadedModel load_model(const LoadOptions& options, const ProgressCallback& progress,
                       const std::atomic<bool>& cancelled);

// Reads and validates the headers of what load_model() would load, with the same checks; reads no
// weights.
std::vector<GgufFile> read_model_headers(const LoadOptions& options);

}  // namespace infernode
