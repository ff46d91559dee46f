#include "model/llama_dry_run.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>
#include <vector>

#include "core/types.h"
#include "llama.h"
#include "model/gguf_text.h"
#include "model/gguf_writer.h"
#include "model/host_limits.h"
#include "model/llama_abort.h"
#include "model/llama_context.h"
#include "model/llama_context_sizer.h"
#include "model/llama_handles.h"
#include "model/llama_load_failure.h"
#include "model/llama_log.h"
#include "model/llama_memory_sizes.h"
#include "model/llama_placed_params.h"
#include "model/memory_estimate.h"
#include "model/virtual_file.h"
#include "model/vocabulary_memory.h"

namespace infernode {

namespace {

// Metadata that the header used for dry runs replaces or omits.
bool left_out(std::string_view key, std::string_view vocabulary_size) {
  return key.starts_with("tokenizer.") || key.starts_with("split.") || key == "general.alignment" ||
         key == vocabulary_size;
}

// Tokens of the dummy vocabulary.
std::uint32_t vocabulary_of(const GgufFile& file, const std::string& size_key) {
  const GgufValue* tokens = file.find("tokenizer.ggml.tokens");
  const auto* array = tokens == nullptr ? nullptr : std::get_if<GgufArray>(&tokens->value);
  return array != nullptr ? static_cast<std::uint32_t>(array->length)
                          : static_cast<std::uint32_t>(file.integer(size_key, 0));
}

// Recurrent states of one sequence: only to refuse what no host has room for.
std::uint64_t state_bytes_of(const GgufFile& file) {
  const std::string prefix = std::string(file.string("general.architecture")) + ".";
  const auto number = [&](const char* name) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(file.integer(prefix + name, 0), 0));
  };
  const std::uint64_t inner = number("ssm.inner_size");
  const std::uint64_t state = number("ssm.state_size");
  const std::uint64_t convolved = inner + 2 * number("ssm.group_count") * state;
  const std::uint64_t elements = inner * state + number("ssm.conv_kernel") * convolved +
                                 number("embedding_length") * number("wkv.head_size");
  return number("block_count") * elements * sizeof(float);
}

void copy_tensors(const GgufFile& part, GgufWriter& header) {
  for (const GgufTensor& tensor : part.tensors()) {
    const std::vector<std::uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
    header.tensor(tensor.name, shape, tensor.type, tensor.bytes);
  }
}

ModelHandle load_without_weights(const std::string& label, const std::string& header,
                                 std::uint64_t bytes, const Placement& placement) {
  const FileHandle file = open_header(header, bytes, label);
  PlacedParams params(placement);
  params.values.load_mode = LLAMA_LOAD_MODE_NONE;
  params.values.no_alloc = true;
  const LlamaLogCapture capture;
  const LlamaAbortGuard guard;
  ModelHandle model(llama_model_load_from_file_ptr(file.get(), params.values));
  if (model == nullptr) refuse_load(label, capture.errors());
  return model;
}

}  // namespace

LlamaDryRun::LlamaDryRun(std::span<const GgufFile> parts, Placement placement)
    : label_(parts.front().label()),
      state_bytes_(state_bytes_of(parts.front())),
      vocabulary_bytes_(vocabulary_memory(parts.front())),
      placement_(std::move(placement)) {
  const GgufFile& first = parts.front();
  const std::string size_key = std::string(first.string("general.architecture")) + ".vocab_size";
  GgufWriter header;
  for (const GgufEntry& entry : first.metadata()) {
    if (!left_out(entry.key, size_key)) header.copy(entry, first);
  }
  header.text("tokenizer.ggml.model", "none");
  header.whole(size_key, vocabulary_of(first, size_key));
  for (const GgufFile& part : parts) copy_tensors(part, header);
  header_ = header.header();
  file_bytes_ = header_.size() + header.data_bytes();
}

// A dry run allocates recurrent states nevertheless.
void LlamaDryRun::check_state() const {
  const std::uint64_t available = available_memory_bytes();
  if (available == 0 || state_bytes_ <= available) return;
  throw Error(ErrorCode::kOutOfMemory, quoted_path(label_) + " needs " + in_mib(state_bytes_) +
                                           " for the state of one sequence, " + in_mib(available) +
                                           " are free; use a host with more memory.");
}

WeightMemory LlamaDryRun::weights() const {
  check_state();
  const LlamaLogMute mute;
  const ModelHandle model = load_without_weights(label_, header_, file_bytes_, placement_);
  EngineShape smallest;
  smallest.context_length = 1;
  smallest.prefill_chunk = 1;
  const MadeContext made = make_context(*model, context_params(smallest, 1));
  if (made.out_of_memory) throw did_not_fit(label_, made.refusal);
  if (made.context == nullptr) refuse_load(label_, std::array{made.refusal});
  WeightMemory weights = weight_memory(*made.context, placement_);
  weights.vocabulary = vocabulary_bytes_;
  return weights;
}

namespace {

// Another dry run of the same model.
using Sized = std::function<MemoryNeeded(const Placement&, const EngineShape&)>;

// Whether llama.cpp computes attention without its fused kernel: asked for, or because a device
// has none for this model, which a dry run without the kernel tells by its size.
bool attention_is_unfused(const MemoryNeeded& needed, const Placement& placement,
                          const EngineShape& shape, const Sized& sized) {
  // llama.cpp refuses quantized cells without the kernel.
  if (shape.kv_type == KvType::kQ8_0 || shape.kv_type == KvType::kQ4_0) return false;
  if (!shape.flash_attention) return true;
  EngineShape unfused = shape;
  unfused.flash_attention = false;
  const MemoryNeeded same = sized(placement, unfused);
  return same.host_bytes == needed.host_bytes && same.compute_bytes == needed.compute_bytes;
}

// llama.cpp assigns some results to a backend itself: with the KV cache in host memory those of
// unfused attention to the CPU, which takes the products of all cells with them, and norms to
// their layer's device. ggml_backend_sched_reserve_size(), by which a dry run is measured, resets
// the scheduler and loses the assignments; a real context is reserved with them. Two dry runs bound
// what they move: the host needs no more than if it computed everything, and the last device no
// more than if it held the layers of all.
MemoryNeeded with_cache_on_host(MemoryNeeded needed, bool attention_on_host,
                                const Placement& placement, const EngineShape& shape,
                                const Sized& sized) {
  std::uint64_t more = 0;
  if (attention_on_host)
    more = std::max(needed.host_bytes, sized({}, shape).host_bytes) - needed.host_bytes;
  needed.host_bytes += more;
  if (placement.devices.size() > 1 && placement.split == SplitMode::kLayer) {
    Placement last = placement;
    last.devices = {placement.devices.back()};
    last.tensor_split.clear();
    std::uint64_t& compute = needed.devices.back().compute;
    const std::uint64_t alone = compute == 0 ? 0 : sized(last, shape).devices.back().compute;
    more += std::max(compute, alone) - compute;
    compute = std::max(compute, alone);
  }
  needed.compute_bytes += more;
  return needed;
}

}  // namespace

MemoryNeeded LlamaDryRun::context(const EngineShape& shape) const {
  check_state();
  const LlamaLogMute mute;
  const ModelHandle model = load_without_weights(label_, header_, file_bytes_, placement_);
  const MemoryNeeded needed = size_context(*model, placement_, shape);
  if (shape.kv_offload || !placement_.uses_devices()) return needed;
  const Sized sized = [this](const Placement& placement, const EngineShape& other) {
    const ModelHandle another = load_without_weights(label_, header_, file_bytes_, placement);
    return size_context(*another, placement, other);
  };
  const bool attention_on_host = !llama_model_is_recurrent(model.get()) &&
                                 attention_is_unfused(needed, placement_, shape, sized);
  return with_cache_on_host(needed, attention_on_host, placement_, shape, sized);
}

}  // namespace infernode
