// See llama_dry_run.h. A dry run still allocates what llama.cpp does not count: a record per
// cell, the logits for reading, recurrent states. That bounds the shapes it is made for.
#include "model/llama_dry_run.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string_view>
#include <vector>

#include "../src/llama-ext.h"
#include "core/types.h"
#include "ggml-backend.h"
#include "model/gguf_parser.h"
#include "model/gguf_writer.h"
#include "model/host_limits.h"
#include "model/llama_context.h"
#include "model/llama_runtime.h"
#include "model/virtual_file.h"

namespace infernode {

namespace {

constexpr std::uint64_t kAffordable = 64ull << 20;
constexpr std::uint64_t kRecordBytes = 64;  // llama_kv_cells, per cell
constexpr std::int32_t kMostCells = static_cast<std::int32_t>(kAffordable / kRecordBytes);

struct ModelDeleter {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
using Outline = std::unique_ptr<llama_model, ModelDeleter>;

// Metadata that an outline has its own of, or none.
bool left_out(std::string_view key, std::string_view vocabulary_size) {
  return key.starts_with("tokenizer.") || key.starts_with("split.") || key == "general.alignment" ||
         key == vocabulary_size;
}

// Tokens of the vocabulary, which dummies stand for.
std::uint32_t vocabulary_of(const GgufFile& file, const std::string& size_key) {
  const GgufValue* tokens = file.find("tokenizer.ggml.tokens");
  const auto* array = tokens == nullptr ? nullptr : std::get_if<GgufArray>(&tokens->value);
  return array != nullptr ? static_cast<std::uint32_t>(array->length)
                          : static_cast<std::uint32_t>(file.integer(size_key, 0));
}

// Recurrent states of one sequence: only for refusing what no host has room for.
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

bool on_host(ggml_backend_buffer_type_t type) {
  if (ggml_backend_buft_is_host(type)) return true;
  ggml_backend_dev_t device = ggml_backend_buft_get_device(type);
  return device != nullptr && ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU;
}

// One context of this shape, as llama.cpp sizes it.
MemoryNeeded measure(llama_model& outline, const EngineShape& shape) {
  const llama_context_params params = context_params(shape, 1);
  const MadeContext made = make_context(outline, params);
  if (made.context == nullptr) refuse_context(made.refusal);
  MemoryNeeded needed;
  for (const auto& [type, bytes] : llama_get_memory_breakdown(made.context.get())) {
    needed.kv_bytes += bytes.context;
    needed.compute_bytes += bytes.compute;
    if (on_host(type)) needed.host_bytes += bytes.context + bytes.compute;
  }
  const auto vocabulary =
      static_cast<std::uint64_t>(llama_vocab_n_tokens(llama_model_get_vocab(&outline)));
  const std::uint64_t logits = params.n_outputs_max * vocabulary * sizeof(float);
  needed.compute_bytes += logits;
  needed.host_bytes += logits;
  return needed;
}

template <typename Combine>
MemoryNeeded combined(const MemoryNeeded& a, const MemoryNeeded& b, Combine combine) {
  return {combine(a.kv_bytes, b.kv_bytes), combine(a.compute_bytes, b.compute_bytes), 0,
          combine(a.host_bytes, b.host_bytes)};
}

MemoryNeeded scaled(const MemoryNeeded& needed, double factor) {
  return combined(needed, needed, [factor](std::uint64_t bytes, std::uint64_t) {
    return static_cast<std::uint64_t>(std::ceil(static_cast<double>(bytes) * factor));
  });
}

class ContextSizer {
 public:
  explicit ContextSizer(llama_model& outline) : outline_(outline) {}

  MemoryNeeded size(const EngineShape& shape) const {
    EngineShape shorter = shape;
    std::int32_t& cells = shape.cells > 0 ? shorter.cells : shorter.context_length;
    if (cells <= kMostCells) return size_affordable(shape);
    const double factor = static_cast<double>(cells) / kMostCells;
    cells = kMostCells;
    return scaled(size_affordable(shorter), factor);
  }

 private:
  MemoryNeeded with_slots(EngineShape shape, std::int32_t slots) const {
    shape.slots = slots;
    return measure(outline_, shape);
  }

  // The graph of one sequence may need more than that of several: llama.cpp reserves both
  // for models that keep states, and a dry run counts the latter only.
  MemoryNeeded size_affordable(const EngineShape& shape) const {
    const bool stateful = llama_model_is_recurrent(&outline_) || llama_model_is_hybrid(&outline_);
    if (!stateful) return size_slots(shape, 0);
    const MemoryNeeded one = with_slots(shape, 1);
    return at_least(size_slots(shape, state_bytes(shape)), one.compute_bytes);
  }

  // Of one sequence, and of the fewest positions beside it.
  std::uint64_t state_bytes(EngineShape shape) const {
    (shape.cells > 0 ? shape.cells : shape.context_length) = 1;
    return with_slots(shape, 1).kv_bytes;
  }

  // Beyond the slots that can be afforded, each further one takes what the last ones did.
  MemoryNeeded size_slots(const EngineShape& shape, std::uint64_t state) const {
    const auto vocabulary =
        static_cast<std::uint64_t>(llama_vocab_n_tokens(llama_model_get_vocab(&outline_)));
    const std::uint64_t cells =
        static_cast<std::uint64_t>(shape.cells > 0 ? 0 : shape.context_length);
    const std::uint64_t each =
        std::max<std::uint64_t>(1, state + vocabulary * sizeof(float) + cells * kRecordBytes);
    const auto most = static_cast<std::int32_t>(std::max<std::uint64_t>(1, kAffordable / each));
    if (most >= shape.slots) return measure(outline_, shape);
    const MemoryNeeded some = with_slots(shape, most);
    if (most == 1) return scaled(some, shape.slots);
    const MemoryNeeded fewer = with_slots(shape, most / 2);
    const std::int32_t between = most - most / 2;
    const double beyond = static_cast<double>(shape.slots - most) / static_cast<double>(between);
    const MemoryNeeded all =
        combined(some, fewer, [beyond](std::uint64_t more, std::uint64_t less) {
          const auto step = static_cast<double>(more - std::min(more, less));
          return more + static_cast<std::uint64_t>(step * beyond);
        });
    // The graph's logits outgrow what else was the most at some number of slots.
    const auto slots = static_cast<std::uint64_t>(shape.slots);
    return at_least(all, 2 * slots * vocabulary * sizeof(float));
  }

  static MemoryNeeded at_least(MemoryNeeded needed, std::uint64_t compute_bytes) {
    const std::uint64_t more = compute_bytes - std::min(compute_bytes, needed.compute_bytes);
    needed.compute_bytes += more;
    needed.host_bytes += more;
    return needed;
  }

  llama_model& outline_;
};

// llama.cpp's own words for a failed load: what follows "error loading model:"
// in the first error line that has it.
std::string reason_in(std::span<const std::string> errors) {
  constexpr std::string_view kMark = "error loading model: ";
  for (const std::string& line : errors) {
    const std::size_t at = line.find(kMark);
    if (at != std::string::npos) return line.substr(at + kMark.size());
  }
  return errors.empty() ? "no reason given" : errors.front();
}

}  // namespace

void refuse_load(const std::string& label, std::span<const std::string> errors) {
  const std::string reason = printable(reason_in(errors), 240);
  if (reason.find("unable to allocate") != std::string::npos ||
      reason.find("bad_alloc") != std::string::npos) {
    throw Error(ErrorCode::kOutOfMemory, quoted_path(label) + " did not fit: " + reason + ".");
  }
  throw Error(ErrorCode::kModelLoadFailed, quoted_path(label) + " was refused by llama.cpp: " +
                                               reason + "; convert or download it again.");
}

llama_model_params placed_params(std::int32_t gpu_layers) {
  static ggml_backend_dev_t no_devices[] = {nullptr};
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = gpu_layers;
  if (gpu_layers == 0) params.devices = no_devices;  // not even scratch on a GPU
  return params;
}

LlamaDryRun::LlamaDryRun(std::span<const GgufFile> parts, std::int32_t gpu_layers)
    : label_(parts.front().label()),
      state_bytes_(state_bytes_of(parts.front())),
      gpu_layers_(gpu_layers) {
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

namespace {

Outline load_outline(const std::string& label, const std::string& header, std::uint64_t bytes,
                     std::int32_t gpu_layers) {
  const FileHandle file = open_header(header, bytes, label);
  llama_model_params params = placed_params(gpu_layers);
  params.load_mode = LLAMA_LOAD_MODE_NONE;
  params.no_alloc = true;
  const LlamaLogCapture capture;
  const LlamaAbortGuard guard;
  Outline outline(llama_model_load_from_file_ptr(file.get(), params));
  if (outline == nullptr) refuse_load(label, capture.errors());
  return outline;
}

}  // namespace

// A dry run allocates states all the same.
void LlamaDryRun::check_state() const {
  const std::uint64_t available = available_memory_bytes();
  if (available == 0 || state_bytes_ <= available) return;
  throw Error(ErrorCode::kOutOfMemory,
              quoted_path(label_) + " needs " + std::to_string(state_bytes_ >> 20) +
                  " MiB for the state of one sequence, " + std::to_string(available >> 20) +
                  " MiB are free; use a host with more memory.");
}

WeightMemory LlamaDryRun::weights() const {
  check_state();
  const LlamaLogMute mute;
  const Outline outline = load_outline(label_, header_, file_bytes_, gpu_layers_);
  EngineShape smallest;
  smallest.context_length = 1;
  smallest.prefill_chunk = 1;
  const MadeContext made = make_context(*outline, context_params(smallest, 1));
  if (made.context == nullptr) refuse_load(label_, std::array{made.refusal});
  WeightMemory weights;
  for (const auto& [type, bytes] : llama_get_memory_breakdown(made.context.get())) {
    if (ggml_backend_buft_is_host(type)) {
      weights.mappable += bytes.model;
    } else if (on_host(type)) {
      weights.repacked += bytes.model;
    } else {
      weights.gpu += bytes.model;
    }
  }
  return weights;
}

MemoryNeeded LlamaDryRun::context(const EngineShape& shape) const {
  check_state();
  const LlamaLogMute mute;
  const Outline outline = load_outline(label_, header_, file_bytes_, gpu_layers_);
  return ContextSizer(*outline).size(shape);
}

}  // namespace infernode
