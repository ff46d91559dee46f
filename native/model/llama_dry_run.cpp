// See llama_dry_run.h. A dry run still allocates what llama.cpp does not count: a record per cell,
// the output logits, recurrent states. That bounds the shapes it can be run with.
#include "model/llama_dry_run.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string_view>
#include <vector>

#include "core/types.h"
#include "ggml-backend.h"
#include "model/gguf_parser.h"
#include "model/gguf_writer.h"
#include "model/host_limits.h"
#include "model/llama_context.h"
#include "model/llama_memory_sizes.h"
#include "model/llama_runtime.h"
#include "model/memory_estimate.h"
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

// A model loaded without weights, and where its layers are.
struct Placed {
  llama_model& model;
  const Placement& placement;

  [[nodiscard]] std::uint64_t logits_row() const {
    const auto tokens = llama_vocab_n_tokens(llama_model_get_vocab(&model));
    return static_cast<std::uint64_t>(tokens) * sizeof(float);
  }
  // llama.cpp puts the last layers on devices, beginning with the output layer.
  [[nodiscard]] bool outputs_on_device() const { return placement.uses_devices(); }
};

// One context of this shape, as llama.cpp sizes it.
MemoryNeeded measure(const Placed& placed, const EngineShape& shape) {
  const llama_context_params params = context_params(shape, 1);
  const MadeContext made = make_context(placed.model, params);
  if (made.context == nullptr) refuse_context(made);
  MemoryNeeded needed = context_memory(*made.context, placed.placement);
  const std::uint64_t logits = params.n_outputs_max * placed.logits_row();
  needed.compute_bytes += logits;
  needed.host_bytes += logits;
  return needed;
}

// Both have the same placement, hence the same devices.
template <typename Combine>
MemoryNeeded combined(const MemoryNeeded& a, const MemoryNeeded& b, Combine combine) {
  MemoryNeeded all;
  all.kv_bytes = combine(a.kv_bytes, b.kv_bytes);
  all.compute_bytes = combine(a.compute_bytes, b.compute_bytes);
  all.host_bytes = combine(a.host_bytes, b.host_bytes);
  for (std::size_t i = 0; i < a.devices.size(); ++i) {
    const DeviceMemory& one = a.devices[i];
    const DeviceMemory& other = b.devices[i];
    all.devices.push_back(
        {one.name, 0, combine(one.kv, other.kv), combine(one.compute, other.compute)});
  }
  return all;
}

MemoryNeeded scaled(const MemoryNeeded& needed, double factor) {
  return combined(needed, needed, [factor](std::uint64_t bytes, std::uint64_t) {
    return static_cast<std::uint64_t>(std::ceil(static_cast<double>(bytes) * factor));
  });
}

std::uint64_t computed_on_devices(const MemoryNeeded& needed) {
  std::uint64_t bytes = 0;
  for (const DeviceMemory& device : needed.devices) bytes += device.compute;
  return bytes;
}

// A device rounds its buffers up, and the graph of a step may be laid out slightly wider than the
// one a dry run measures: with this margin an estimate is never too low.
constexpr std::uint64_t kAlignment = std::uint64_t{64} << 10;

MemoryNeeded with_alignment(MemoryNeeded needed) {
  for (DeviceMemory& device : needed.devices) {
    if (device.compute == 0) continue;
    device.compute += kAlignment;
    needed.compute_bytes += kAlignment;
  }
  return needed;
}

// With the KV cache in host memory, llama.cpp computes more of a graph on the host than a dry run
// of it: less than a fifth of what the dry run counts on the devices (0047).
MemoryNeeded with_cache_on_host(MemoryNeeded needed) {
  const std::uint64_t more = computed_on_devices(needed) / 5;
  needed.compute_bytes += more;
  needed.host_bytes += more;
  return needed;
}

class ContextSizer {
 public:
  explicit ContextSizer(const Placed& placed) : placed_(placed) {}

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
    return measure(placed_, shape);
  }

  // The graph of one sequence may need more than that of several, in each place: llama.cpp reserves
  // both for models with recurrent states, and a dry run counts only the latter.
  MemoryNeeded size_affordable(const EngineShape& shape) const {
    const bool stateful =
        llama_model_is_recurrent(&placed_.model) || llama_model_is_hybrid(&placed_.model);
    if (!stateful) return size_slots(shape, 0);
    const MemoryNeeded one = with_slots(shape, 1);
    MemoryNeeded all = size_slots(shape, state_bytes(shape));
    for (std::size_t i = 0; i < all.devices.size(); ++i) {
      DeviceMemory& device = all.devices[i];
      const std::uint64_t more =
          one.devices[i].compute - std::min(one.devices[i].compute, device.compute);
      device.compute += more;
      all.compute_bytes += more;
    }
    return at_least(all, one.compute_bytes - computed_on_devices(one) + computed_on_devices(all));
  }

  // For one sequence, with as few positions as possible.
  std::uint64_t state_bytes(EngineShape shape) const {
    (shape.cells > 0 ? shape.cells : shape.context_length) = 1;
    return with_slots(shape, 1).kv_bytes;
  }

  // Each slot beyond those that can be measured is assumed to need as much as the last ones did.
  MemoryNeeded size_slots(const EngineShape& shape, std::uint64_t state) const {
    const std::uint64_t cells =
        static_cast<std::uint64_t>(shape.cells > 0 ? 0 : shape.context_length);
    const std::uint64_t each =
        std::max<std::uint64_t>(1, state + placed_.logits_row() + cells * kRecordBytes);
    const auto most = static_cast<std::int32_t>(std::max<std::uint64_t>(1, kAffordable / each));
    if (most >= shape.slots) return measure(placed_, shape);
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
    // From some number of slots on, the graph's logits become its largest buffer.
    return at_least(all, 2 * static_cast<std::uint64_t>(shape.slots) * placed_.logits_row());
  }

  // The missing part is added where the last layers are, whose output the logits are.
  [[nodiscard]] MemoryNeeded at_least(MemoryNeeded needed, std::uint64_t compute_bytes) const {
    const std::uint64_t more = compute_bytes - std::min(compute_bytes, needed.compute_bytes);
    needed.compute_bytes += more;
    if (placed_.outputs_on_device()) {
      needed.devices.back().compute += more;
    } else {
      needed.host_bytes += more;
    }
    return needed;
  }

  const Placed placed_;
};

// llama.cpp's reason for a failed load: what follows "error loading model:" in the first error line
// that contains it.
std::string reason_in(std::span<const std::string> errors) {
  constexpr std::string_view kMark = "error loading model: ";
  for (const std::string& line : errors) {
    const std::size_t at = line.find(kMark);
    if (at != std::string::npos) return line.substr(at + kMark.size());
  }
  return errors.empty() ? "no reason given" : errors.front();
}

Error did_not_fit(const std::string& label, const std::string& reason) {
  return {ErrorCode::kOutOfMemory, quoted_path(label) + " did not fit: " + printable(reason, 240) +
                                       "; use a smaller quantization or a host with more memory."};
}

ggml_backend_dev_t device_named(const std::string& name) {
  ggml_backend_dev_t device = ggml_backend_dev_by_name(name.c_str());
  if (device != nullptr) return device;
  throw Error(ErrorCode::kInvalidOption,
              "There is no device " + printable(name, 64) + "; use one that devices() lists.");
}

llama_split_mode split_mode_of(SplitMode split) {
  switch (split) {
    case SplitMode::kNone:
      return LLAMA_SPLIT_MODE_NONE;
    case SplitMode::kRow:
      return LLAMA_SPLIT_MODE_ROW;
    case SplitMode::kTensor:
      return LLAMA_SPLIT_MODE_TENSOR;
    default:
      return LLAMA_SPLIT_MODE_LAYER;
  }
}

}  // namespace

void refuse_load(const std::string& label, std::span<const std::string> errors) {
  const std::string reason = printable(reason_in(errors), 240);
  if (reason.find("LLAMA_SPLIT_MODE_TENSOR") != std::string::npos) {
    throw Error(ErrorCode::kInvalidOption,
                quoted_path(label) + " cannot be loaded with splitMode \"tensor\": " + reason +
                    "; take splitMode \"layer\".");
  }
  if (tell_of_memory(errors)) throw did_not_fit(label, reason);
  throw Error(ErrorCode::kModelLoadFailed, quoted_path(label) + " was refused by llama.cpp: " +
                                               reason + "; convert or download it again.");
}

PlacedParams::PlacedParams(const Placement& placement)
    : values(llama_model_default_params()), tensor_split_(llama_max_devices()) {
  if (placement.uses_devices()) {
    for (const std::string& name : placement.devices) devices_.push_back(device_named(name));
  }
  devices_.push_back(nullptr);  // no device at all, not even for scratch buffers on a GPU
  std::ranges::copy(placement.tensor_split, tensor_split_.begin());
  values.devices = devices_.data();
  values.n_gpu_layers = placement.uses_devices() ? placement.gpu_layers : 0;
  values.split_mode = split_mode_of(placement.split);
  values.main_gpu = placement.main_gpu;
  if (!placement.tensor_split.empty()) values.tensor_split = tensor_split_.data();
}

LlamaDryRun::LlamaDryRun(std::span<const GgufFile> parts, Placement placement)
    : label_(parts.front().label()),
      state_bytes_(state_bytes_of(parts.front())),
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

namespace {

Outline load_outline(const std::string& label, const std::string& header, std::uint64_t bytes,
                     const Placement& placement) {
  const FileHandle file = open_header(header, bytes, label);
  PlacedParams params(placement);
  params.values.load_mode = LLAMA_LOAD_MODE_NONE;
  params.values.no_alloc = true;
  const LlamaLogCapture capture;
  const LlamaAbortGuard guard;
  Outline outline(llama_model_load_from_file_ptr(file.get(), params.values));
  if (outline == nullptr) refuse_load(label, capture.errors());
  return outline;
}

}  // namespace

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
  const Outline outline = load_outline(label_, header_, file_bytes_, placement_);
  EngineShape smallest;
  smallest.context_length = 1;
  smallest.prefill_chunk = 1;
  const MadeContext made = make_context(*outline, context_params(smallest, 1));
  if (made.out_of_memory) throw did_not_fit(label_, made.refusal);
  if (made.context == nullptr) refuse_load(label_, std::array{made.refusal});
  return weight_memory(*made.context, placement_);
}

MemoryNeeded LlamaDryRun::context(const EngineShape& shape) const {
  check_state();
  const LlamaLogMute mute;
  const Outline outline = load_outline(label_, header_, file_bytes_, placement_);
  const MemoryNeeded needed = ContextSizer({*outline, placement_}).size(shape);
  return with_alignment(shape.kv_offload ? needed : with_cache_on_host(needed));
}

}  // namespace infernode
