// See memory_estimate.h. Layouts are llama.cpp v0.5.0's: llama-kv-cache.cpp,
// llama-hparams.cpp (n_embd_r, n_embd_s), llama-context.cpp (output_reserve).
#include "model/memory_estimate.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/types.h"
#include "model/gguf_parser.h"

namespace infernode {

namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kHostMargin = 64 * kMiB;  // graphs, tokenizer, allocator
constexpr std::uint64_t kGpuMargin = 256 * kMiB;  // context, staging, fragmentation
constexpr std::uint64_t kMappedFactor = 4;
constexpr std::uint64_t kGraphBytes = 8 * kMiB;  // tensors of the graphs themselves
constexpr std::int32_t kMostSequences = 256;     // of llama.cpp (LLAMA_MAX_SEQ)

// Types ggml's CPU backend may repack into a private copy (repack.cpp).
constexpr std::array<std::string_view, 9> kRepacked = {"q4_0",   "q4_K",  "q2_K", "q5_K", "q6_K",
                                                       "iq4_nl", "mxfp4", "q8_0", "q1_0"};

class Hyperparameters {
 public:
  explicit Hyperparameters(const GgufFile& file)
      : file_(file), prefix_(std::string(file.string("general.architecture")) + ".") {
    layers = number("block_count", 0) - number("nextn_predict_layers", 0);
    embedding = number("embedding_length", 0);
  }

  std::int64_t number(const char* name, std::int64_t fallback) const {
    return file_.integer(prefix_ + name, fallback);
  }

  // The key's value in one layer: of the array, or the same in all.
  std::int64_t in_layer(const char* name, std::size_t layer, std::int64_t fallback) const {
    const GgufValue* value = file_.find(prefix_ + name);
    const auto* array = value == nullptr ? nullptr : std::get_if<GgufArray>(&value->value);
    if (array == nullptr) return number(name, fallback);
    if (array->items.empty()) return most_of(*array, fallback);
    if (layer >= array->items.size()) return fallback;
    return whole(array->items[layer], fallback);
  }

  std::int64_t layers = 0;
  std::int64_t embedding = 0;

 private:
  static std::int64_t whole(const GgufScalar& item, std::int64_t fallback) {
    if (const auto* number = std::get_if<std::uint64_t>(&item))
      return static_cast<std::int64_t>(*number);
    if (const auto* number = std::get_if<std::int64_t>(&item)) return *number;
    if (const auto* flag = std::get_if<bool>(&item)) return *flag ? 1 : 0;
    return fallback;
  }

  // More layers than items are kept: the greatest stands for all.
  std::int64_t most_of(const GgufArray& array, std::int64_t fallback) const {
    const std::vector<std::int64_t> numbers = file_.integers(array);
    return numbers.empty() ? fallback : *std::ranges::max_element(numbers);
  }

  const GgufFile& file_;
  std::string prefix_;
};

// Bytes of `elements` cache elements; q8_0 packs 32 of them into 34 bytes.
std::uint64_t cache_bytes(std::uint64_t elements, KvType type) {
  switch (type) {
    case KvType::kF32:
      return elements * 4;
    case KvType::kQ8_0:
      return (elements + 31) / 32 * 34;
    case KvType::kF16:
      break;
  }
  return elements * 2;
}

// Positions of one stream, and how many streams there are.
std::uint64_t padded_context(const EngineShape& shape) {
  const std::int32_t positions = shape.cells > 0 ? shape.cells : shape.context_length;
  return (static_cast<std::uint64_t>(positions) + 255) / 256 * 256;
}

std::uint64_t streams(const EngineShape& shape) {
  return shape.cells > 0 ? 1 : static_cast<std::uint64_t>(shape.slots);
}

struct CacheRow {
  std::uint64_t keys = 0;  // elements of one position in one layer
  std::uint64_t values = 0;
};

CacheRow cache_row(const Hyperparameters& model, std::size_t layer) {
  const std::int64_t heads = model.in_layer("attention.head_count", layer, 0);
  const std::int64_t kv_heads = model.in_layer("attention.head_count_kv", layer, heads);
  const std::int64_t first_heads = model.in_layer("attention.head_count", 0, 0);
  const std::int64_t width = first_heads > 0 ? model.embedding / first_heads : 0;
  const std::int64_t keys = kv_heads * model.number("attention.key_length", width);
  const std::int64_t values = kv_heads * model.number("attention.value_length", width);
  return {static_cast<std::uint64_t>(keys), static_cast<std::uint64_t>(values)};
}

// Layers of a period, the last of which sees everything, where the file does
// not say (load_swa_pattern in src/models).
constexpr std::array<std::pair<std::string_view, std::int64_t>, 9> kSlidingPeriods = {
    {{"afmoe", 4},
     {"cohere2", 4},
     {"exaone-moe", 4},
     {"exaone4", 4},
     {"gemma2", 2},
     {"gemma3", 6},
     {"gpt-oss", 2},
     {"olmo2", 4},
     {"plamo3", 8}}};

class Windows {
 public:
  Windows(const Hyperparameters& model, const GgufFile& file, const EngineShape& shape)
      : model_(model), whole_(padded_context(shape)) {
    const std::string_view name = file.string("general.architecture");
    const auto known =
        std::ranges::find(kSlidingPeriods, name, [](auto& row) { return row.first; });
    const std::int64_t window = model.number("attention.sliding_window", 0);
    if (known == kSlidingPeriods.end() || window <= 0 || shape.whole_windows) return;
    period_ = known->second;
    const GgufValue* pattern = file.find(std::string(name) + ".attention.sliding_window_pattern");
    listed_ = pattern != nullptr && std::holds_alternative<GgufArray>(pattern->value);
    if (!listed_) period_ = model.number("attention.sliding_window_pattern", period_);
    const auto rows = static_cast<std::uint64_t>(std::max(shape.prefill_chunk, shape.slots));
    const std::uint64_t kept = std::min(whole_, static_cast<std::uint64_t>(window) + rows);
    kept_ = (kept + 255) / 256 * 256;
  }

  // Positions a layer's cache has room for.
  std::uint64_t positions(std::size_t layer) const {
    if (period_ == 0) return whole_;
    const auto place = static_cast<std::int64_t>(layer) % period_;
    const bool slides = listed_ ? model_.in_layer("attention.sliding_window_pattern", layer, 0) != 0
                                : place < period_ - 1;
    return slides ? kept_ : whole_;
  }

 private:
  const Hyperparameters& model_;
  const std::uint64_t whole_;
  std::uint64_t kept_ = 0;
  std::int64_t period_ = 0;  // 0: no layer slides, as far as is known
  bool listed_ = false;      // the file has one flag per layer
};

// Keys and values of one sequence in all layers.
std::uint64_t cache_bytes_per_sequence(const Hyperparameters& model, const GgufFile& file,
                                       const EngineShape& shape) {
  const Windows windows(model, file, shape);
  std::uint64_t bytes = 0;
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(model.layers); ++layer) {
    const CacheRow row = cache_row(model, layer);
    bytes += windows.positions(layer) *
             (cache_bytes(row.keys, shape.kv_type) + cache_bytes(row.values, shape.kv_type));
  }
  return bytes;
}

// Where layers differ in their KV heads, those without any; else all.
std::int64_t recurrent_layers(const Hyperparameters& model) {
  std::int64_t without = 0;
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(model.layers); ++layer)
    without += cache_row(model, layer).keys == 0 ? 1 : 0;
  return without > 0 ? without : model.layers;
}

// Recurrent state of one sequence: f32 convolution and state rows per layer.
std::uint64_t state_bytes_per_sequence(const Hyperparameters& model) {
  const std::int64_t head = model.number("wkv.head_size", 0);
  const std::int64_t inner = model.number("ssm.inner_size", 0);
  const std::int64_t state = model.number("ssm.state_size", 0);
  const std::int64_t groups = model.number("ssm.group_count", 0);
  const std::int64_t convolution =
      std::max<std::int64_t>(model.number("ssm.conv_kernel", 1) - 1, 0);
  const std::int64_t elements = head > 0
                                    ? model.embedding * (head + 2)
                                    : convolution * (inner + 2 * groups * state) + inner * state;
  return static_cast<std::uint64_t>(elements * recurrent_layers(model)) * 4;
}

struct Widest {
  std::uint64_t feed_forward = 0;
  std::uint64_t heads = 0;
  std::uint64_t cache_row = 0;  // keys and values of one position, elements
};

Widest widest_layer(const Hyperparameters& model) {
  Widest widest;
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(model.layers); ++layer) {
    const auto in_layer = [&](const char* name) {
      return static_cast<std::uint64_t>(model.in_layer(name, layer, 0));
    };
    widest.feed_forward = std::max(widest.feed_forward, in_layer("feed_forward_length"));
    widest.heads = std::max(widest.heads, in_layer("attention.head_count"));
    const CacheRow row = cache_row(model, layer);
    widest.cache_row = std::max(widest.cache_row, row.keys + row.values);
  }
  return widest;
}

// The widest moment of a pass, from above: eight rows of activations and the
// feed-forward's three; the mask, and the scores where attention is not
// flash; a quantized cache of one layer as f16; logits for every slot, once
// in the graph and once for reading.
std::uint64_t compute_bytes(const Hyperparameters& model, const GgufFile& file,
                            const EngineShape& shape) {
  const auto slots =
      static_cast<std::uint64_t>(shape.slots + (shape.cells > 0 ? idle_sequences(shape.slots) : 0));
  const auto rows = static_cast<std::uint64_t>(std::max(shape.prefill_chunk, shape.slots));
  const Widest widest = widest_layer(model);
  const GgufTensor* embedding = file.tensor("token_embd.weight");
  const std::uint64_t vocabulary = embedding != nullptr && embedding->shape.size() > 1
                                       ? static_cast<std::uint64_t>(embedding->shape[1])
                                       : 0;
  const auto width = static_cast<std::uint64_t>(model.embedding);
  const std::uint64_t activations = rows * (8 * width + 3 * widest.feed_forward) * 4;
  const std::uint64_t scores = shape.flash_attention ? 0 : widest.heads * 4;
  const std::uint64_t attention = rows * padded_context(shape) * (scores + 4);
  const std::uint64_t unpacked = shape.kv_type == KvType::kQ8_0
                                     ? streams(shape) * padded_context(shape) * widest.cache_row * 2
                                     : 0;
  return activations + attention + unpacked + slots * vocabulary * 4 * 2 + kGraphBytes;
}

std::string in_mib(std::uint64_t bytes) {
  return std::to_string((bytes + kMiB - 1) / kMiB) + " MiB";
}

[[noreturn]] void refuse_size(const GgufFile& file, const std::string& what, std::uint64_t needed,
                              const std::string& where, std::uint64_t there,
                              const std::string& remedy) {
  throw Error(ErrorCode::kOutOfMemory, quoted_path(file.label()) + " needs " + in_mib(needed) +
                                           what + ", " + in_mib(there) + " are free" + where +
                                           "; " + remedy + ".");
}

struct WeightBytes {
  std::uint64_t all = 0;
  std::uint64_t repacked = 0;
  std::uint64_t input = 0;  // token_embd.weight, which stays on the host
};

WeightBytes sum_weights(std::span<const GgufFile> parts) {
  WeightBytes sum;
  bool own_output = false;
  for (const GgufFile& part : parts) {
    for (const GgufTensor& tensor : part.tensors()) {
      sum.all += tensor.bytes;
      const bool input = tensor.name == "token_embd.weight";
      if (input) sum.input = tensor.bytes;
      own_output = own_output || tensor.name == "output.weight";
      const bool matrix = tensor.shape.size() > 1 && !input;
      if (matrix && std::ranges::find(kRepacked, tensor.type_name) != kRepacked.end()) {
        sum.repacked += tensor.bytes;
      }
    }
  }
  if (!own_output) sum.all += sum.input;  // a tied output is a second copy on another device
  return sum;
}

}  // namespace

std::int32_t idle_sequences(std::int32_t slots) { return std::min(slots, kMostSequences - slots); }

MemoryNeeded estimate_memory(const GgufFile& file, const EngineShape& shape) {
  const Hyperparameters model(file);
  MemoryNeeded needed;
  needed.kv_bytes = streams(shape) * (cache_bytes_per_sequence(model, file, shape) +
                                      state_bytes_per_sequence(model));
  needed.compute_bytes = compute_bytes(model, file, shape);
  needed.weight_bytes = file.weight_bytes();
  return needed;
}

void check_weights_fit(std::span<const GgufFile> parts, const WeightPlacement& placement) {
  const GgufFile& first = parts.front();
  const WeightBytes weights = sum_weights(parts);
  const std::int64_t layers = std::max<std::int64_t>(Hyperparameters(first).layers, 1) + 1;
  const bool on_gpu = placement.gpu_layers != 0 && placement.gpu_count > 0;
  const std::int64_t placed = !on_gpu ? 0
                              : placement.gpu_layers < 0
                                  ? layers
                                  : std::min<std::int64_t>(placement.gpu_layers, layers);
  const double share = static_cast<double>(placed) / static_cast<double>(layers);
  const auto gpu =
      static_cast<std::uint64_t>(share * static_cast<double>(weights.all - weights.input));
  if (on_gpu && gpu + kGpuMargin * placement.gpu_count > placement.gpu_free) {
    refuse_size(first,
                " of GPU memory for " + std::to_string(placed) + " of " + std::to_string(layers) +
                    " layers",
                gpu + kGpuMargin * placement.gpu_count, " on the GPU", placement.gpu_free,
                "lower gpuLayers or use a smaller quantization");
  }
  if (placement.host_free == 0) return;
  const auto host = static_cast<std::uint64_t>((1 - share) * static_cast<double>(weights.all));
  const auto repacked =
      static_cast<std::uint64_t>((1 - share) * static_cast<double>(weights.repacked));
  const std::uint64_t fixed = (placement.memory_map ? repacked : host) + kHostMargin;
  if (fixed > placement.host_free) {
    refuse_size(first, " of memory", fixed, "", placement.host_free,
                "use a smaller quantization or a host with more memory");
  }
  if (host / kMappedFactor > placement.host_free) {
    refuse_size(first, " of page cache", host, "", placement.host_free,
                "memory-mapped weights over four times the free memory would be read from disk in "
                "every step");
  }
}

}  // namespace infernode
