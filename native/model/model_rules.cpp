// Rules on architecture, hyperparameters, tensor types and split files; see model_rules.h.
// Functions and files named in comments are llama.cpp v0.5.0's.
#include "model/model_rules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <span>

#include "core/types.h"
#include "model/architectures.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

constexpr std::int64_t kMaximumLayers = 512;    // LLAMA_MAX_LAYERS
constexpr std::int64_t kMaximumExperts = 1024;  // LLAMA_MAX_EXPERTS
constexpr std::int64_t kMaximumContext = 1 << 30;
constexpr std::int64_t kMaximumWidth = 1 << 24;  // rows of any matrix except the vocabulary's
constexpr std::int64_t kMaximumHeads = 1 << 16;

// Architectures that llama.cpp supports but that do not generate text from left to right: encoders,
// embedding models, draft heads, diffusion and speech models.
constexpr std::array<std::string_view, 23> kOtherKinds = {"clip",
                                                          "bert",
                                                          "modern-bert",
                                                          "nomic-bert",
                                                          "nomic-bert-moe",
                                                          "neo-bert",
                                                          "jina-bert-v2",
                                                          "jina-bert-v3",
                                                          "eurobert",
                                                          "llama-embed",
                                                          "gemma-embedding",
                                                          "t5",
                                                          "t5encoder",
                                                          "eagle3",
                                                          "dflash",
                                                          "gemma4-assistant",
                                                          "dream",
                                                          "llada",
                                                          "llada-moe",
                                                          "rnd1",
                                                          "wavtokenizer-dec",
                                                          "qwen3tts",
                                                          "pockettts"};

// Architectures that divide by the heads of layer 0, the state groups or the experts used (in
// load_arch_hparams and load_arch_tensors) without checking for zero.
constexpr std::array<std::string_view, 5> kDividesByHeads = {"deepseek2", "gemma2", "gemma3",
                                                             "olmo2", "phimoe"};
constexpr std::array<std::string_view, 5> kDividesByGroups = {
    "falcon-h1", "granitehybrid", "mamba2", "nemotron_h", "nemotron_h_moe"};
constexpr std::array<std::string_view, 9> kDividesByExperts = {
    "glm4moe",   "grovemoe",   "mellum",   "qwen2moe",      "qwen35moe",
    "qwen3next", "qwen3vlmoe", "qwen4exp", "nemotron_h_moe"};

class HyperparameterRules {
 public:
  explicit HyperparameterRules(const GgufFile& file)
      : file_(file), prefix_(std::string(file.string("general.architecture")) + ".") {}

  void check() {
    check_sizes();
    check_experts();
    check_heads();
    check_rope();
    check_epsilons();
    check_divisors();
  }

 private:
  std::string key(std::string_view name) const { return prefix_ + std::string(name); }

  bool is_one_of(std::span<const std::string_view> names) const {
    return std::ranges::find(names, file_.string("general.architecture")) != names.end();
  }

  [[noreturn]] void refuse(std::string_view name, const std::string& why) const {
    refuse_model(file_, "'" + printable(key(name)) + "' " + why);
  }

  // A uint32 within [least, most], or nothing if the key is missing. Any other type would be
  // refused by llama.cpp later, with a less helpful message.
  std::optional<std::int64_t> optional_number(std::string_view name, std::int64_t least,
                                              std::int64_t most) const {
    const GgufValue* value = file_.find(key(name));
    if (value == nullptr) return std::nullopt;
    if (value->type != GgufType::kUint32) {
      refuse(name, "must be a uint32, is " + std::string(gguf_type_name(value->type)));
    }
    return in_range(name, static_cast<std::int64_t>(std::get<std::uint64_t>(value->value)), least,
                    most);
  }

  std::int64_t number(std::string_view name, std::int64_t least, std::int64_t most) const {
    const auto value = optional_number(name, least, most);
    if (!value) refuse(name, "is missing");
    return *value;
  }

  std::int64_t in_range(std::string_view name, std::int64_t value, std::int64_t least,
                        std::int64_t most) const {
    if (value < least || value > most) {
      refuse(name, "must be " + std::to_string(least) + " to " + std::to_string(most) + ", is " +
                       std::to_string(value));
    }
    return value;
  }

  // One number for all layers or an array with one per layer; `fallback` for each layer if the key
  // is missing. llama.cpp itself refuses arrays of another length (get_key_or_arr).
  std::vector<std::int64_t> per_layer(std::string_view name, std::int64_t most,
                                      std::int64_t fallback) const {
    const GgufValue* value = file_.find(key(name));
    const auto layers = static_cast<std::size_t>(layers_);
    if (value == nullptr) return std::vector<std::int64_t>(layers, fallback);
    const auto* array = std::get_if<GgufArray>(&value->value);
    if (array == nullptr) {
      return std::vector<std::int64_t>(layers, *optional_number(name, 0, most));
    }
    const bool whole =
        array->element_type == GgufType::kUint32 || array->element_type == GgufType::kInt32;
    if (!whole || array->length != layers) {
      refuse(name, "must be an array of " + std::to_string(layers) + " uint32 or int32");
    }
    std::vector<std::int64_t> numbers = file_.integers(*array);
    for (const std::int64_t item : numbers) in_range(name, item, 0, most);
    return numbers;
  }

  void check_sizes() {
    number("context_length", 1, kMaximumContext);
    embedding_ = number("embedding_length", 1, kMaximumWidth);
    // load_hparams: GGML_ASSERT on both; every per-layer getter aborts beyond the limit.
    layers_ = number("block_count", 1, kMaximumLayers);
    optional_number("nextn_predict_layers", 0, layers_ - 1);
    per_layer("feed_forward_length", kMaximumWidth, 0);
    optional_number("vocab_size", 1, kMaximumWidth);
    optional_number("pooling_type", 0, 4);  // build_pooling aborts on other values
  }

  // load_hparams: one GGML_ASSERT per line.
  void check_experts() {
    const std::int64_t experts = optional_number("expert_count", 0, kMaximumExperts).value_or(0);
    const auto used = per_layer("expert_used_count", experts, 0);
    const std::int64_t most_used = *std::ranges::max_element(used);
    if (experts > 0 && most_used == 0) refuse("expert_used_count", "must be 1 or more");
    // If a layer's expert width is not given, it is n_ff / n_expert_used.
    const auto widths = per_layer("expert_feed_forward_length", kMaximumWidth, 0);
    const bool divides = experts > 0 || is_one_of(kDividesByExperts);
    for (std::size_t i = 0; divides && i < used.size(); ++i) {
      if (used[i] == 0 && widths[i] == 0) {
        refuse("expert_used_count", "must be 1 or more in layer " + std::to_string(i));
      }
    }
    const std::int64_t groups =
        optional_number("expert_group_count", 0, std::max<std::int64_t>(experts - 1, 0))
            .value_or(0);
    if (groups < 2) return;
    if (experts % groups != 0) refuse("expert_group_count", "must divide the expert count");
    number("expert_group_used_count", 1, groups - 1);
  }

  // n_embd / n_head is computed; the attention graph asserts that the KV heads divide the heads and
  // that head sizes are not zero.
  void check_heads() {
    const auto heads = per_layer("attention.head_count", kMaximumHeads, 0);
    const GgufValue* separate = file_.find(key("attention.head_count_kv"));
    const auto kv_heads =
        separate == nullptr ? heads : per_layer("attention.head_count_kv", kMaximumHeads, 0);
    for (std::size_t i = 0; i < heads.size(); ++i) {
      if (kv_heads[i] > 0 && heads[i] % kv_heads[i] != 0) {
        refuse("attention.head_count_kv",
               "must divide the head count in layer " + std::to_string(i));
      }
    }
    for (const std::string_view name :
         {"attention.key_length", "attention.value_length", "attention.key_length_swa",
          "attention.value_length_swa", "attention.key_length_mla", "attention.value_length_mla"}) {
      optional_number(name, 1, kMaximumHeads);
    }
    if (heads[0] == 0) {
      if (is_one_of(kDividesByHeads)) refuse("attention.head_count", "must be 1 or more");
      return;
    }
    head_width_ =
        optional_number("attention.key_length", 1, kMaximumHeads).value_or(embedding_ / heads[0]);
    if (head_width_ == 0) refuse("attention.head_count", "is more than the embedding length");
  }

  void check_rope() {
    // load_hparams: GGML_ASSERT on an unknown scaling type.
    const GgufValue* scaling = file_.find(key("rope.scaling.type"));
    const std::string_view name = file_.string(key("rope.scaling.type"));
    if (scaling != nullptr && name != "none" && name != "linear" && name != "yarn" &&
        name != "longrope") {
      refuse("rope.scaling.type", "must be none, linear, yarn or longrope");
    }
    // ggml_rope asserts an even number of dimensions no greater than the head.
    const auto check_dimensions = [this](std::string_view key_name, std::int64_t width) {
      const auto count = optional_number(key_name, 0, kMaximumHeads);
      if (!count) return;
      if (*count % 2 != 0 || (width > 0 && *count > width)) {
        refuse(key_name, "must be even and at most the head size " + std::to_string(width));
      }
    };
    check_dimensions("rope.dimension_count", head_width_);
    check_dimensions(
        "rope.dimension_count_swa",
        optional_number("attention.key_length_swa", 1, kMaximumHeads).value_or(head_width_));
    for (const std::string_view factor :
         {"rope.freq_base", "rope.freq_base_swa", "rope.scaling.factor", "rope.scale_linear",
          "rope.scaling.attn_factor", "rope.scaling.alpha"}) {
      check_factor(factor, 1e12);
    }
    optional_number("rope.scaling.original_context_length", 1, kMaximumContext);
  }

  // ggml_compute_forward_norm asserts eps >= 0.
  void check_epsilons() {
    for (const std::string_view name :
         {"attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon",
          "attention.group_norm_epsilon"}) {
      check_factor(name, 1);
    }
  }

  void check_factor(std::string_view name, double most) const {
    const GgufValue* value = file_.find(key(name));
    if (value == nullptr) return;
    const auto* factor = std::get_if<double>(&value->value);
    if (value->type != GgufType::kFloat32 || !(*factor >= 0 && *factor <= most)) {
      refuse(name, "must be a float32 from 0 to " + std::to_string(static_cast<long long>(most)));
    }
  }

  // Keys that models divide by without a check (d_inner / n_group and similar).
  void check_divisors() {
    for (const std::string_view name :
         {"ssm.time_step_rank", "wkv.head_size", "full_attention_interval", "experts_per_group",
          "attention.output_group_count", "attention.indexer.block_size", "hyper_connection.count",
          "block_size"}) {
      optional_number(name, 1, kMaximumWidth);
    }
    for (const std::string_view name : {"ssm.conv_kernel", "ssm.inner_size", "ssm.state_size"}) {
      optional_number(name, 0, kMaximumWidth);
    }
    // plamo2 has no groups and declares this as zero.
    optional_number("ssm.group_count", is_one_of(kDividesByGroups) ? 1 : 0, kMaximumWidth);
  }

  const GgufFile& file_;
  std::string prefix_;
  std::int64_t layers_ = 0;
  std::int64_t embedding_ = 0;
  std::int64_t head_width_ = 0;
};

// Types for which no matrix multiplication exists.
constexpr std::array<std::string_view, 6> kNoWeights = {"i8", "i16", "i64", "f64", "q8_1", "q8_K"};

}  // namespace

void refuse_model(const GgufFile& file, const std::string& what) {
  throw Error(ErrorCode::kModelCorrupt, quoted_path(file.label()) + " is damaged: " + what +
                                            "; download or convert it again.");
}

// ggml's CPU kernels abort in the middle of a pass on a type they do not support: norms, biases and
// rope factors must be f32 (binary-ops.cpp, ops.cpp: rope), matrices a type with a dot product
// (ggml-cpu.c).
void check_tensor_rules(const GgufFile& file) {
  for (const GgufTensor& tensor : file.tensors()) {
    const std::string_view name = tensor.name;
    const bool vector = name.ends_with("norm.weight") || name.ends_with(".bias") ||
                        name.ends_with("rope_freqs.weight") ||
                        name.find("rope_factors") != std::string_view::npos;
    const bool odd = std::ranges::find(kNoWeights, tensor.type_name) != kNoWeights.end();
    const bool matrix = name == "token_embd.weight" || name == "output.weight" ||
                        name.find(".attn_") != std::string_view::npos ||
                        name.find(".ffn_gate.") != std::string_view::npos ||
                        name.find(".ffn_up.") != std::string_view::npos ||
                        name.find(".ffn_down.") != std::string_view::npos;
    const bool fits =
        vector ? tensor.type_name == "f32" : !odd && !(matrix && tensor.type_name == "i32");
    const bool judged = name.ends_with(".weight") || name.ends_with(".bias");
    if (judged && !fits) {
      refuse_model(file, "tensor '" + printable(name) + "' has type " +
                             std::string(tensor.type_name) +
                             ", which llama.cpp cannot compute with there");
    }
  }
}

void check_model_rules(const GgufFile& file) {
  const std::string_view architecture = file.string("general.architecture");
  if (architecture.empty()) refuse_model(file, "'general.architecture' must name the architecture");
  if (!known_architecture(architecture)) {
    throw Error(ErrorCode::kModelArchitectureUnsupported,
                quoted_path(file.label()) + " has architecture '" + printable(architecture) +
                    "', which the llama.cpp of this build does not know; choose another model or "
                    "a newer infernode.");
  }
  if (std::ranges::find(kOtherKinds, architecture) != kOtherKinds.end()) {
    throw Error(ErrorCode::kModelArchitectureUnsupported,
                quoted_path(file.label()) + " has architecture '" + printable(architecture) +
                    "', which does not generate text from left to right; choose a decoder "
                    "model such as llama, qwen3 or gemma3.");
  }
  if (file.tensors().empty() && file.integer("split.count", 1) < 2) {
    refuse_model(file, "it holds no tensors, only metadata (a vocabulary file?)");
  }
  HyperparameterRules(file).check();
  check_tokenizer_rules(file);
  check_tensor_rules(file);
}

namespace {

// "-00002-of-00003.gguf", for an index from 0.
std::string part_suffix(std::int64_t index, std::int64_t count) {
  std::array<char, 40> suffix{};
  std::snprintf(suffix.data(), suffix.size(), "-%05d-of-%05d.gguf", static_cast<int>(index + 1),
                static_cast<int>(count));
  return suffix.data();
}

// A later part is no damaged file: it was named in place of the first.
void refuse_later_part(const GgufFile& part, std::int64_t count, const std::string& path) {
  const std::int64_t index = part.integer("split.no", 0);
  if (index < 1 || index >= count) return;
  const std::string suffix = part_suffix(index, count);
  const std::string first =
      path.ends_with(suffix)
          ? quoted_path(path.substr(0, path.size() - suffix.size()) + part_suffix(0, count))
          : "the file that ends in '" + part_suffix(0, count) + "'";
  throw Error(ErrorCode::kModelFormatUnsupported,
              quoted_path(path) + " is part " + std::to_string(index + 1) + " of " +
                  std::to_string(count) + " of a split model; name its first part, " + first +
                  ", and keep all parts beside it.");
}

}  // namespace

std::vector<std::string> model_part_paths(const GgufFile& first, const std::string& path) {
  const GgufValue* count_value = first.find("split.count");
  if (count_value == nullptr) return {path};
  const std::int64_t count = first.integer("split.count", -1);
  if (count_value->type != GgufType::kUint16) refuse_model(first, "'split.count' must be a uint16");
  if (count < 2) return {path};
  refuse_later_part(first, count, path);
  check_part_number(first, 0);
  const std::string suffix = part_suffix(0, count);
  if (!path.ends_with(suffix)) {
    refuse_model(first, "it is the first of " + std::to_string(count) +
                            " parts, so its name must end in '" + suffix + "'");
  }
  const std::string stem = path.substr(0, path.size() - suffix.size());
  std::vector<std::string> paths;
  for (std::int64_t i = 0; i < count; ++i) paths.push_back(stem + part_suffix(i, count));
  return paths;
}

void check_part_number(const GgufFile& part, std::size_t index) {
  // The loader reads it with gguf_get_val_u16, which aborts on another type.
  const GgufValue* number = part.find("split.no");
  const bool good = number != nullptr && number->type == GgufType::kUint16 &&
                    std::get<std::uint64_t>(number->value) == index;
  if (!good) {
    refuse_model(part, "'split.no' must be the uint16 " + std::to_string(index) +
                           "; name the first part of a split model and keep the parts' names");
  }
}

}  // namespace infernode
