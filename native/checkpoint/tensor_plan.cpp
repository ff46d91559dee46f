#include "checkpoint/tensor_plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "checkpoint/module_tensors.h"
#include "checkpoint/refuse.h"
#include "core/types.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

// Where checkpoints store the language model: at the top, or beside a vision tower.
constexpr std::array<std::string_view, 3> kPrefixes = {"model.", "language_model.model.",
                                                       "model.language_model."};
constexpr std::array<std::string_view, 2> kHeads = {"lm_head", "language_model.lm_head"};

constexpr std::array<std::string_view, 2> kComputedSuffixes = {".rotary_emb.inv_freq",
                                                               ".masked_bias"};
constexpr std::array<std::string_view, 7> kVisionPrefixes = {"vision_tower.",
                                                             "model.vision_tower.",
                                                             "visual.",
                                                             "model.visual.",
                                                             "vision_model.",
                                                             "multi_modal_projector.",
                                                             "model.multi_modal_projector."};

std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string text = "[";
  for (const std::uint64_t length : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(length);
  return text + "]";
}

bool is_number(TensorDtype dtype) {
  return dtype == TensorDtype::kF32 || dtype == TensorDtype::kF16 || dtype == TensorDtype::kBf16;
}

class Planner {
 public:
  Planner(const CheckpointFolder& folder, const ModelConfig& config,
          const Quantization* quantization)
      : folder_(folder), config_(config), quantization_(quantization) {}

  TensorPlan plan() {
    find_prefix();
    plan_embedding();
    add_factors("rope_freqs.weight", config_.rope.factors);
    add_factors("rope_factors_long.weight", config_.rope.long_factors);
    add_factors("rope_factors_short.weight", config_.rope.short_factors);
    for (std::uint32_t layer = 0; layer < config_.layers; ++layer) plan_layer(layer);
    plan_vector(prefix_ + "norm.weight", "output_norm.weight", config_.width, TensorRole::kNorm);
    plan_head();
    check_rest();
    return std::move(plan_);
  }

 private:
  [[noreturn]] void refuse(const StoredTensor& tensor, const std::string& what) const {
    throw Error(ErrorCode::kModelCorrupt, quoted_path(folder_.files()[tensor.file].path) +
                                              ": tensor '" + printable(tensor.name) + "' " + what +
                                              ".");
  }

  [[noreturn]] void refuse_missing(const std::string& name) const {
    throw Error(ErrorCode::kModelCorrupt,
                quoted_path(folder_.path()) + ": tensor '" + printable(name) +
                    "' is missing from its safetensors files, which config.json (`model_type` " +
                    std::string(config_.mapping->model_type) + ", `num_hidden_layers` " +
                    std::to_string(config_.layers) + ") asks for.");
  }

  [[noreturn]] void refuse_embeddings(const StoredTensor& tensor) const {
    throw Error(ErrorCode::kModelFormatUnsupported,
                tensor_label(folder_, tensor) +
                    " belongs to quantized embeddings, which are not supported; take a checkpoint "
                    "whose embed_tokens are F32, F16 or BF16, or a GGUF.");
  }

  void find_prefix() {
    for (const std::string_view prefix : kPrefixes) {
      if (folder_.find(std::string(prefix) + "embed_tokens.weight") == nullptr) continue;
      prefix_ = prefix;
      return;
    }
    for (const StoredTensor& tensor : folder_.tensors()) {
      for (const std::string_view prefix : kPrefixes) {
        if (tensor.name.starts_with(std::string(prefix) + "embed_tokens.")) {
          refuse_embeddings(tensor);
        }
      }
    }
    refuse_missing("model.embed_tokens.weight");
  }

  // A stored tensor of plain numbers, which is marked as used.
  const StoredTensor& take(const StoredTensor& tensor, std::span<const std::uint64_t> shape) {
    if (!is_number(tensor.dtype)) {
      throw Error(ErrorCode::kModelFormatUnsupported,
                  tensor_label(folder_, tensor) + " has dtype " + printable(tensor.dtype_text) +
                      ", where F32, F16 or BF16 can be loaded; take the model's F16 or BF16 "
                      "checkpoint, which can be quantized as it is loaded, or a GGUF.");
    }
    if (!std::ranges::equal(tensor.shape, shape)) {
      refuse(tensor, "has shape " + shape_text(tensor.shape) + ", where config.json asks for " +
                         shape_text(shape));
    }
    used_.insert(tensor.name);
    return tensor;
  }

  PlannedTensor& add(std::string name, TensorRole role, std::string source, std::uint64_t rows,
                     std::uint64_t columns) {
    PlannedTensor& tensor = plan_.tensors.emplace_back();
    tensor.name = std::move(name);
    tensor.role = role;
    tensor.source = std::move(source);
    tensor.rows = rows;
    tensor.columns = columns;
    return tensor;
  }

  void add_factors(const char* name, const std::vector<float>& factors) {
    if (factors.empty()) return;
    add(name, TensorRole::kRopeFactors, "config.json", 1, factors.size()).numbers = factors;
  }

  PlannedTensor& plan_vector(const std::string& from, std::string to, std::uint64_t length,
                             TensorRole role) {
    const StoredTensor* stored = folder_.find(from);
    if (stored == nullptr) refuse_missing(from);
    const std::array<std::uint64_t, 1> shape = {length};
    PlannedTensor& tensor = add(std::move(to), role, from, 1, length);
    tensor.plain = &take(*stored, shape);
    tensor.plus_one = role == TensorRole::kNorm && config_.mapping->norms_plus_one;
    return tensor;
  }

  void plan_embedding() {
    const std::string name = prefix_ + "embed_tokens.weight";
    const StoredTensor& stored = *folder_.find(name);
    vocabulary_ = config_.vocabulary;
    if (vocabulary_ == 0 && stored.shape.size() == 2) vocabulary_ = stored.shape[0];
    const std::array<std::uint64_t, 2> shape = {vocabulary_, config_.width};
    add("token_embd.weight", TensorRole::kEmbedding, name, vocabulary_, config_.width).plain =
        &take(stored, shape);
  }

  void plan_head() {
    for (const std::string_view head : kHeads) {
      const std::string module(head);
      const bool stored = folder_.find(module + ".weight") != nullptr;
      if (config_.tied) {
        if (stored) used_.insert(module + ".weight");  // a copy of the embeddings
      } else if (stored || has_module(module)) {
        return static_cast<void>(
            plan_linear(module, "output", TensorRole::kHead, vocabulary_, config_.width));
      }
    }
    if (!config_.tied) refuse_missing("lm_head.weight");
  }

  // Whether any stored tensor belongs to this module.
  bool has_module(const std::string& module) const {
    const std::string begin = module + ".";
    const auto& all = folder_.tensors();
    const auto first = std::ranges::lower_bound(all, begin, {}, &StoredTensor::name);
    return first != all.end() && first->name.starts_with(begin);
  }

  PlannedTensor& plan_linear(const std::string& module, const std::string& to, TensorRole role,
                             std::uint64_t rows, std::uint64_t columns) {
    const std::string name = module + ".weight";
    const StoredTensor* stored = folder_.find(name);
    std::unique_ptr<const QuantizedMatrix> matrix =
        quantization_ == nullptr ? nullptr : quantization_->open(module, {rows, columns});
    if (matrix == nullptr && stored == nullptr) refuse_missing(name);
    if (matrix != nullptr && stored != nullptr && !quantization_->owns(name)) {
      refuse(*stored,
             "is stored beside a quantized weight of the same module; one of them must "
             "not be there");
    }
    PlannedTensor& tensor = add(to + ".weight", role, module, rows, columns);
    if (matrix != nullptr) {
      tensor.quantized = std::move(matrix);
      tensor.scales = scales_label(module);
      quantized_.insert(module);
    } else {
      const std::array<std::uint64_t, 2> shape = {rows, columns};
      tensor.source = name;
      tensor.plain = &take(*stored, shape);
    }
    linear_.insert(module);
    return tensor;
  }

  std::string scales_label(const std::string& module) const {
    for (const char* const suffix : {".scales", ".weight_scale"}) {
      const StoredTensor* const scales = folder_.find(module + suffix);
      if (scales != nullptr) return tensor_label(folder_, *scales);
    }
    return quoted_path(folder_.path()) + ": " + quoted_name(module);
  }

  bool has_bias(BiasRule rule) const {
    return rule == BiasRule::kAlways || (rule == BiasRule::kAttention && config_.attention_bias) ||
           (rule == BiasRule::kFeedForward && config_.feed_forward_bias);
  }

  void plan_layer(std::uint32_t layer) {
    const std::string from = prefix_ + "layers." + std::to_string(layer) + ".";
    const std::string to = "blk." + std::to_string(layer) + ".";
    for (const TensorRule& rule : config_.mapping->layer) {
      const std::string module = from + std::string(rule.from);
      const std::string name = to + std::string(rule.to);
      const std::uint64_t rows = config_.length(rule.rows);
      if (rule.columns == Extent::kNone) {
        plan_vector(module + ".weight", name + ".weight", rows, TensorRole::kNorm);
        continue;
      }
      const std::uint32_t head = rule.order == RowOrder::kInterleavedHeads ? config_.head : 0;
      plan_linear(module, name, TensorRole::kLinear, rows, config_.length(rule.columns)).head_rows =
          head;
      if (!has_bias(rule.bias)) continue;
      PlannedTensor& bias = plan_vector(module + ".bias", name + ".bias", rows, TensorRole::kBias);
      bias.head_rows = head;
      if (head == 0) continue;  // vectors are interleaved as rows of one number
      std::swap(bias.rows, bias.columns);
    }
  }

  // Checks stored tensors that nothing above has used.
  void check_rest() {
    bool vision = false;
    for (const StoredTensor& tensor : folder_.tensors()) {
      if (used_.contains(tensor.name) || is_part_of_quantized(tensor.name)) continue;
      const auto begins = [&](std::string_view prefix) { return tensor.name.starts_with(prefix); };
      const auto ends = [&](std::string_view suffix) { return tensor.name.ends_with(suffix); };
      if (std::ranges::any_of(kVisionPrefixes, begins)) {
        vision = true;
      } else if (!std::ranges::any_of(kComputedSuffixes, ends) && !is_zero_bias(tensor)) {
        refuse_unknown(tensor);
      }
    }
    if (vision) plan_.notes.push_back("the vision tower is left out: texts only");
  }

  bool is_part_of_quantized(const std::string& name) const {
    if (quantization_ == nullptr || !quantization_->owns(name)) return false;
    return quantized_.contains(name.substr(0, name.rfind('.')));
  }

  // Some quantizers store an all-zero bias for every layer.
  bool is_zero_bias(const StoredTensor& tensor) const {
    constexpr std::uint64_t kMostBytes = 4 << 20;
    if (!tensor.name.ends_with(".bias") || tensor.bytes > kMostBytes || !is_number(tensor.dtype))
      return false;
    if (!linear_.contains(tensor.name.substr(0, tensor.name.rfind('.')))) return false;
    std::vector<std::byte> bytes(tensor.bytes);
    folder_.read(tensor, 0, bytes);
    return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
  }

  [[noreturn]] void refuse_unknown(const StoredTensor& tensor) const {
    const std::string layers = prefix_ + "layers.";
    std::uint64_t layer = 0;
    if (tensor.name.starts_with(layers)) {
      const char* begin = tensor.name.data() + layers.size();
      const auto read = std::from_chars(begin, tensor.name.data() + tensor.name.size(), layer);
      if (read.ec == std::errc() && layer >= config_.layers) {
        refuse(tensor, "belongs to layer " + std::to_string(layer) +
                           ", and config.json says `num_hidden_layers` " +
                           std::to_string(config_.layers));
      }
    }
    refuse(tensor, "is not part of a " + std::string(config_.mapping->model_type) +
                       " model as config.json describes it");
  }

  const CheckpointFolder& folder_;
  const ModelConfig& config_;
  const Quantization* quantization_;
  std::string prefix_;
  std::uint64_t vocabulary_ = 0;
  std::unordered_set<std::string> used_;       // stored tensors
  std::unordered_set<std::string> linear_;     // modules
  std::unordered_set<std::string> quantized_;  // modules
  TensorPlan plan_;
};

}  // namespace

TensorPlan plan_tensors(const CheckpointFolder& folder, const ModelConfig& config,
                        const Quantization* quantization) {
  return Planner(folder, config, quantization).plan();
}

}  // namespace infernode
