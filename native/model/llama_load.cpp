#include "model/llama_load.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "llama.h"
#include "model/fingerprint.h"
#include "model/gguf_text.h"
#include "model/host_limits.h"
#include "model/llama_abort.h"
#include "model/llama_dry_run.h"
#include "model/llama_fit.h"
#include "model/llama_layer_places.h"
#include "model/llama_load_failure.h"
#include "model/llama_log.h"
#include "model/llama_memory_sizes.h"
#include "model/llama_placed_params.h"
#include "model/llama_rank_head.h"
#include "model/model_source.h"
#include "model/page_cache.h"
#include "model/synthetic_file.h"

namespace infernode {

namespace {

constexpr std::uint64_t kMapAlignment = 32;  // ggml's TENSOR_ALIGNMENT
constexpr float kWarmShare = 0.9f;  // share of a load's time spent reading; the rest is set-up

void refuse_if_cancelled(const std::atomic<bool>& cancelled, const std::string& path) {
  if (!cancelled.load()) return;
  throw Error(ErrorCode::kCancelled, "Loading " + quoted_path(path) + " was cancelled.");
}

// Forwards progress in increasing hundredths and returns whether to continue.
struct LoadWatch {
  const ProgressCallback& progress;
  const std::atomic<bool>& cancelled;
  float warmed = 0;  // the share of the work done before llama.cpp starts
  int hundredths = -1;

  bool reached(float fraction) {
    const int now = static_cast<int>(std::lround(std::clamp(fraction, 0.0f, 1.0f) * 100));
    if (now > hundredths) {
      hundredths = now;
      if (progress) progress(static_cast<float>(now) / 100);
    }
    return !cancelled.load();
  }

  // Passed to llama.cpp, which calls it while it reads.
  static bool on_progress(float fraction, void* self) {
    auto& watch = *static_cast<LoadWatch*>(self);
    return watch.reached(watch.warmed + (1 - watch.warmed) * fraction);
  }
};

// ggml asserts the alignment of memory that it did not allocate.
bool can_map(std::span<const GgufFile> parts, const LoadOptions& options,
             const ModelSource& source) {
  return options.memory_map && source.is_file() &&
         std::ranges::all_of(
             parts, [](const GgufFile& part) { return part.alignment() % kMapAlignment == 0; });
}

// Reads the files ahead of llama.cpp's mapping if they fit into memory.
void warm_files(std::span<const GgufFile> parts, LoadWatch& watch) {
  std::uint64_t all = 0;
  for (const GgufFile& part : parts) all += part.file_bytes();
  const std::uint64_t available = available_memory_bytes();
  if (available != 0 && all > available) return;
  std::uint64_t before = 0;
  for (const GgufFile& part : parts) {
    const bool whole = warm_page_cache(part.label(), [&](std::uint64_t bytes) {
      const double done = static_cast<double>(before + bytes) / static_cast<double>(all);
      return watch.reached(kWarmShare * static_cast<float>(done));
    });
    if (!whole) return;
    before += part.file_bytes();
  }
  watch.warmed = kWarmShare;
}

llama_model* load_weights(const ModelSource& source, const LoadOptions& options, bool map,
                          LoadWatch& watch) {
  PlacedParams placed(options.placement);
  llama_model_params& params = placed.values;
  params.load_mode = map ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
  params.progress_callback = LoadWatch::on_progress;
  params.progress_callback_user_data = &watch;
  if (source.is_file()) return llama_model_load_from_file(source.path().c_str(), params);
  return llama_model_load_from_file_ptr(source.open_stream().get(), params);
}

std::string fingerprint_of(const GgufFile& file, const ModelSource& source) {
  const FileHandle opened = source.open(file);
  return model_fingerprint(opened.get(), file.file_bytes(), file.header_bytes());
}

// nullptr if the model is not a checkpoint.
std::shared_ptr<const CheckpointFile> open_checkpoint(const LoadOptions& options) {
  if (!options.checkpoint) return nullptr;
  CheckpointOptions asked = *options.checkpoint;
  asked.keep_bf16 = options.placement.uses_devices();
  return CheckpointFile::open(asked);
}

ModelSource source_of(const LoadOptions& options,
                      const std::shared_ptr<const CheckpointFile>& checkpoint) {
  if (checkpoint) return ModelSource(checkpoint);
  if (options.synthetic)
    return ModelSource(std::make_shared<const SyntheticFile>(*options.synthetic));
  return ModelSource(options.path);
}

}  // namespace

LoadedModel::LoadedModel() = default;
LoadedModel::LoadedModel(LoadedModel&&) noexcept = default;
LoadedModel::~LoadedModel() = default;

std::vector<GgufFile> read_model_headers(const LoadOptions& options) {
  return source_of(options, open_checkpoint(options)).parts();
}

LoadedModel load_model(const LoadOptions& asked, const ProgressCallback& progress,
                       const std::atomic<bool>& cancelled) {
  const auto checkpoint = open_checkpoint(asked);
  const ModelSource source = source_of(asked, checkpoint);
  std::vector<GgufFile> parts = source.parts();
  LoadOptions options = asked;
  options.placement = with_fitting_layers(parts, asked.placement);
  const bool map = can_map(parts, options, source);
  LoadedModel model;
  model.dry_run = std::make_unique<const LlamaDryRun>(parts, options.placement);
  model.weights = model.dry_run->weights();
  check_weights_fit(parts.front().label(), model.weights, map, memory_room());
  LoadWatch watch{progress, cancelled};
  if (map) warm_files(parts, watch);
  refuse_if_cancelled(cancelled, options.path);

  const LlamaLogCapture capture;
  const LlamaAbortGuard guard;
  LlamaLayerPlaces places;
  {
    const LlamaLogWatch lines([&](int, std::string_view line) { places.add_line(line); });
    model.handle.reset(load_weights(source, options, map, watch));
  }
  refuse_if_cancelled(cancelled, options.path);
  source.rethrow_failure();
  if (model.handle == nullptr) refuse_load(options.path, capture.errors());

  model.rank_head = read_rank_head(parts, [&](const GgufFile& part) { return source.open(part); });
  GgufFile& file = model.file.emplace(std::move(parts.front()));
  model.vocab =
      std::make_unique<const LlamaVocab>(llama_model_get_vocab(model.handle.get()), &file);
  model.info = describe_model(*model.handle, file);
  file.drop_array_bytes();
  if (model.rank_head == nullptr) model.info.rank_labels.clear();
  model.info.devices = places.devices(options.placement, model.weights, model.info.layer_count);
  model.info.fingerprint = fingerprint_of(file, source);
  if (checkpoint) model.info.checkpoint = checkpoint->report();
  check_special_tokens(*model.handle, file, model.info);
  return_freed_memory();
  return model;
}

}  // namespace infernode
