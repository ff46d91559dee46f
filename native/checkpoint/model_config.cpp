// Limits are llama.cpp v0.5.0's, which aborts beyond them.
#include "checkpoint/model_config.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numbers>

#include "checkpoint/config_reader.h"
#include "checkpoint/rope_config.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;  // of config.json
constexpr std::uint64_t kMostLayers = 512;
constexpr std::uint64_t kMostWidth = std::uint64_t{1} << 24;
constexpr std::uint64_t kMostHeads = std::uint64_t{1} << 16;
constexpr std::uint64_t kMostContext = std::uint64_t{1} << 30;
// Gemma 3: layers per period; the last of them has full attention
constexpr std::uint32_t kWindowPeriod = 6;

constexpr auto kUnsupported = ErrorCode::kModelFormatUnsupported;

std::string supported_types() {
  std::string all;
  for (const Mapping& mapping : mappings())
    all += (all.empty() ? "" : ", ") + std::string(mapping.model_type);
  return all;
}

bool is_class_of(const Mapping& mapping, const std::vector<std::string>& classes) {
  return std::ranges::any_of(classes, [&](const std::string& name) {
    return std::ranges::find(mapping.classes, name) != mapping.classes.end();
  });
}

[[noreturn]] void refuse_architecture(const ConfigReader& config, std::string_view key,
                                      const std::string& what) {
  config.refuse(key,
                "is \"" + printable(what) + "\", which cannot be loaded from safetensors; model " +
                    "types are " + supported_types() + ": choose one of them, or a GGUF file",
                ErrorCode::kModelArchitectureUnsupported);
}

// Selected by the model_type of the object that holds the dimensions, and by the class in
// `architectures`.
const Mapping& mapping_of(const ConfigReader& whole, const ConfigReader& text) {
  const auto classes = whole.texts("architectures").value_or(std::vector<std::string>{});
  std::string type = text.text("model_type").value_or("");
  for (const Mapping& mapping : mappings()) {
    const bool typed = type.empty() ? is_class_of(mapping, classes) : mapping.model_type == type;
    if (!typed) continue;
    if (!classes.empty() && !is_class_of(mapping, classes))
      refuse_architecture(whole, "architectures", classes.front());
    return mapping;
  }
  if (!type.empty()) refuse_architecture(text, "model_type", type);
  if (!classes.empty()) refuse_architecture(whole, "architectures", classes.front());
  whole.refuse("model_type", "is missing");
}

class ConfigJudge {
 public:
  ConfigJudge(const ConfigReader& text, const Mapping& mapping)
      : text_(text), defaults_(mapping.defaults), mapping_(mapping) {
    config_.mapping = &mapping;
  }

  ModelConfig judge() {
    read_dimensions();
    read_heads();
    read_flags();
    read_window();
    config_.rope = read_rope_config(text_, config_);
    if (mapping_.name == "gemma3") read_gemma();
    return std::move(config_);
  }

 private:
  std::uint32_t dimension(std::string_view key, std::uint64_t least, std::uint64_t most,
                          std::uint32_t fallback) const {
    return static_cast<std::uint32_t>(text_.whole(key, least, most).value_or(fallback));
  }

  // A key for which transformers does not accept null: its default applies to a missing key only.
  std::uint32_t extent(std::string_view key, std::uint64_t most, std::uint32_t fallback) const {
    if (text_.says(key) && !text_.has(key))
      text_.refuse(key, "must be an integer from 1 to " + std::to_string(most) + ", is null");
    return dimension(key, 1, most, fallback);
  }

  void read_dimensions() {
    config_.width = extent("hidden_size", kMostWidth, defaults_.width);
    config_.feed_forward = extent("intermediate_size", kMostWidth, defaults_.feed_forward);
    config_.layers = extent("num_hidden_layers", kMostLayers, defaults_.layers);
    config_.vocabulary = text_.whole("vocab_size", 1, kMostWidth).value_or(0);
    config_.context = extent("max_position_embeddings", kMostContext, defaults_.context);
    config_.epsilon = text_.number("rms_norm_eps", 0, 1).value_or(defaults_.epsilon);
  }

  void read_heads() {
    config_.heads = extent("num_attention_heads", kMostHeads, defaults_.heads);
    const std::uint32_t kv_heads = defaults_.kv_heads == 0 ? config_.heads : defaults_.kv_heads;
    config_.kv_heads = dimension("num_key_value_heads", 1, kMostHeads, kv_heads);
    if (config_.heads % config_.kv_heads != 0) {
      text_.refuse("num_key_value_heads", "must divide `num_attention_heads`, " +
                                              std::to_string(config_.heads) + ", is " +
                                              std::to_string(config_.kv_heads));
    }
    config_.head = dimension("head_dim", 1, kMostHeads, defaults_.head);
    if (config_.head == 0) {
      if (config_.width % config_.heads != 0) {
        text_.refuse("num_attention_heads", "must divide `hidden_size`, " +
                                                std::to_string(config_.width) + ", is " +
                                                std::to_string(config_.heads));
      }
      config_.head = config_.width / config_.heads;
    }
    if (config_.head % 2 != 0) text_.refuse("head_dim", "must be even");
    const std::uint64_t queries = config_.length(Extent::kQueries);
    if (queries > kMostWidth) text_.refuse("head_dim", "is too large");
    if (mapping_.queries_are_width && queries != config_.width) {
      text_.refuse("head_dim",
                   "times `num_attention_heads` must be `hidden_size` for " +
                       std::string(mapping_.model_type),
                   kUnsupported);
    }
  }

  void read_flags() {
    config_.tied = text_.flag("tie_word_embeddings").value_or(defaults_.tied);
    config_.attention_bias = text_.flag("attention_bias").value_or(false);
    config_.feed_forward_bias = text_.flag("mlp_bias").value_or(false);
    if (!mapping_.biases_chosen) {
      for (const char* key : {"attention_bias", "mlp_bias"}) {
        if (text_.flag(key).value_or(false))
          text_.refuse(key, "must be false for " + std::string(mapping_.model_type), kUnsupported);
      }
    }
    const std::string activation =
        text_.text(mapping_.activation_key).value_or(std::string(mapping_.activation));
    if (activation != mapping_.activation) {
      text_.refuse(mapping_.activation_key, "must be \"" + std::string(mapping_.activation) +
                                                "\", is \"" + printable(activation) + "\"");
    }
  }

  void read_window() {
    if (mapping_.window == WindowRule::kNone) return;
    const bool none = text_.says("sliding_window") && !text_.has("sliding_window");
    std::uint64_t window =
        text_.whole("sliding_window", 1, kMostContext).value_or(none ? 0 : defaults_.window);
    if (mapping_.window == WindowRule::kLayers) {
      config_.window = static_cast<std::uint32_t>(window);
      return read_sliding_layers();
    }
    if (mapping_.window == WindowRule::kSwitched &&
        !text_.flag("use_sliding_window").value_or(false))
      window = 0;
    if (window == 0 || window >= config_.context) return;
    // llama.cpp computes full attention here: equal as long as texts fit into the window.
    config_.notes.push_back("the context is limited to the sliding window of " +
                            std::to_string(window) + " tokens, of " +
                            std::to_string(config_.context));
    config_.context = static_cast<std::uint32_t>(window);
  }

  void read_sliding_layers() {
    const auto types = text_.texts("layer_types");
    auto period = text_.whole("sliding_window_pattern", 1, kMostLayers);
    if (!period) period = text_.whole("_sliding_window_pattern", 1, kMostLayers);
    for (std::uint32_t layer = 0; layer < config_.layers && !types; ++layer)
      config_.slides.push_back((layer + 1) % period.value_or(kWindowPeriod) != 0 ? 1 : 0);
    if (!types) return;
    if (types->size() != config_.layers) {
      text_.refuse("layer_types", "must name a type for each of " + std::to_string(config_.layers) +
                                      " layers, has " + std::to_string(types->size()));
    }
    for (const std::string& type : *types) {
      if (type != "sliding_attention" && type != "full_attention")
        text_.refuse("layer_types", "must be sliding_attention or full_attention");
      config_.slides.push_back(type == "sliding_attention" ? 1 : 0);
    }
  }

  void read_gemma() {
    config_.final_softcap = text_.number("final_logit_softcapping", 0, 1e6).value_or(0);
    if (text_.number("attn_logit_softcapping", 0, 1e6).value_or(0) != 0)
      text_.refuse("attn_logit_softcapping", "is not supported for gemma3_text", kUnsupported);
    if (text_.flag("use_bidirectional_attention").value_or(false)) {
      text_.refuse("use_bidirectional_attention", "must be false: this is an encoder",
                   kUnsupported);
    }
    // llama.cpp derives attention's scale from the number of layers.
    constexpr std::uint32_t kLargestLayers = 62;
    const std::uint32_t scalar =
        config_.layers == kLargestLayers ? config_.width / config_.heads : config_.head;
    const double given = text_.number("query_pre_attn_scalar", 1, kMostWidth).value_or(256);
    if (given != scalar) {
      text_.refuse("query_pre_attn_scalar", "must be " + std::to_string(scalar), kUnsupported);
    }
  }

  const ConfigReader& text_;
  const ConfigDefaults& defaults_;
  const Mapping& mapping_;
  ModelConfig config_;
};

void write_rope(const RopeConfig& rope, const std::string& prefix, GgufWriter& header) {
  header.whole(prefix + "rope.dimension_count", rope.rotated);
  header.real(prefix + "rope.freq_base", static_cast<float>(rope.base));
  if (rope.sliding_base)
    header.real(prefix + "rope.freq_base_swa", static_cast<float>(*rope.sliding_base));
  if (rope.scaling == RopeScaling::kNone) return;
  const char* type = rope.scaling == RopeScaling::kLinear ? "linear"
                     : rope.scaling == RopeScaling::kYarn ? "yarn"
                                                          : "longrope";
  header.text(prefix + "rope.scaling.type", type);
  if (rope.factor != 1)
    header.real(prefix + "rope.scaling.factor", static_cast<float>(rope.factor));
  if (rope.attention_factor != 1) {
    header.real(prefix + "rope.scaling.attn_factor", static_cast<float>(rope.attention_factor));
  }
  if (rope.original_context != 0)
    header.whole(prefix + "rope.scaling.original_context_length", rope.original_context);
}

}  // namespace

std::uint64_t ModelConfig::length(Extent extent) const {
  const std::uint64_t queries = std::uint64_t{heads} * head;
  const std::uint64_t keys = std::uint64_t{kv_heads} * head;
  switch (extent) {
    case Extent::kNone:
      return 0;
    case Extent::kWidth:
      return width;
    case Extent::kHead:
      return head;
    case Extent::kQueries:
      return queries;
    case Extent::kKeys:
      return keys;
    case Extent::kFusedAttention:
      return queries + 2 * keys;
    case Extent::kFeedForward:
      return feed_forward;
    case Extent::kTwoFeedForward:
      return 2 * std::uint64_t{feed_forward};
  }
  return 0;
}

ModelConfig read_model_config(const CheckpointFolder& folder) {
  const auto json = folder.json("config.json", kMostBytes);
  if (!json) {
    throw Error(ErrorCode::kModelNotFound,
                quoted_path(folder.label("config.json")) +
                    " is missing: a Hugging Face directory has it beside its safetensors files.");
  }
  const ConfigReader whole(*json, folder.label("config.json"));
  const auto nested = whole.object("text_config");
  const ConfigReader& text = nested ? *nested : whole;
  const Mapping& mapping = mapping_of(whole, text);
  return ConfigJudge(text, mapping).judge();
}

void write_hyperparameters(const ModelConfig& config, GgufWriter& header) {
  const std::string prefix = std::string(config.mapping->name) + ".";
  header.whole(prefix + "context_length", config.context);
  header.whole(prefix + "embedding_length", config.width);
  header.whole(prefix + "block_count", config.layers);
  header.whole(prefix + "feed_forward_length", config.feed_forward);
  header.whole(prefix + "attention.head_count", config.heads);
  header.whole(prefix + "attention.head_count_kv", config.kv_heads);
  header.whole(prefix + "attention.key_length", config.head);
  header.whole(prefix + "attention.value_length", config.head);
  header.real(prefix + "attention.layer_norm_rms_epsilon", static_cast<float>(config.epsilon));
  if (config.window != 0) {
    header.whole(prefix + "attention.sliding_window", config.window);
    header.integers(prefix + "attention.sliding_window_pattern", config.slides);
  }
  if (config.final_softcap != 0)
    header.real(prefix + "final_logit_softcapping", static_cast<float>(config.final_softcap));
  write_rope(config.rope, prefix, header);
}

}  // namespace infernode
