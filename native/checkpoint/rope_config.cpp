#include "checkpoint/rope_config.h"

#include <cmath>
#include <numbers>
#include <string>

namespace infernode {

namespace {

constexpr double kMostBase = 1e12;
constexpr double kMostFactor = 1e6;
constexpr std::uint64_t kMostContext = std::uint64_t{1} << 30;
constexpr double kBetaFast = 32;  // llama.cpp's constants for yarn
constexpr double kBetaSlow = 1;

// yarn's attention factor for a context `scale` times as long.
double yarn_magnitude(double scale, double weight = 1) {
  return scale <= 1 ? 1 : 0.1 * weight * std::log(scale) + 1;
}

class RopeReader {
 public:
  RopeReader(const ConfigReader& config, const ModelConfig& model)
      : config_(config), model_(model), rule_(model.mapping->rope) {}

  RopeConfig read() {
    rope_.base = model_.mapping->defaults.rope_base;
    if (rule_ == RopeRule::kPerWindow)
      rope_.sliding_base = config_.number("rope_local_base_freq", 1, kMostBase).value_or(10000);
    const auto theta = config_.number("rope_theta", 1, kMostBase);
    if (theta) rope_.base = *theta;
    const auto parameters = config_.object("rope_parameters");
    if (parameters) {
      read_parameters(*parameters);
      if (theta && rope_.base != *theta)
        config_.refuse("rope_theta", "contradicts `rope_parameters`");
    }
    const ConfigReader& partial =
        parameters && parameters->has("partial_rotary_factor") ? *parameters : config_;
    read_rotated(partial);
    const auto scaling = config_.object("rope_scaling");
    if (scaling && !parameters) read_scaling(*scaling);
    if (parameters) read_scaling(full_ ? *full_ : *parameters);
    return rope_;
  }

 private:
  // The parameters of transformers 5: flat, or one object per type of layer.
  void read_parameters(const ConfigReader& parameters) {
    full_ = parameters.object("full_attention");
    if (!full_) {
      rope_.base = parameters.number("rope_theta", 1, kMostBase).value_or(rope_.base);
      return;
    }
    if (rule_ != RopeRule::kPerWindow) {
      parameters.refuse("full_attention",
                        "is not supported for " + std::string(model_.mapping->model_type) +
                            ": it must have one set of rope parameters",
                        ErrorCode::kModelFormatUnsupported);
    }
    rope_.base = full_->number("rope_theta", 1, kMostBase).value_or(rope_.base);
    const auto sliding = parameters.object("sliding_attention");
    if (!sliding) return;
    rope_.sliding_base = sliding->number("rope_theta", 1, kMostBase).value_or(10000);
    if (type_of(*sliding) != "default") {
      sliding->refuse(type_key(*sliding), "must be \"default\" for sliding layers",
                      ErrorCode::kModelFormatUnsupported);
    }
  }

  void read_rotated(const ConfigReader& from) {
    const double share = from.number("partial_rotary_factor", 0.01, 1).value_or(1);
    rope_.rotated = static_cast<std::uint32_t>(share * model_.head);
    if (share != 1 && rule_ != RopeRule::kLongRope) {
      from.refuse("partial_rotary_factor",
                  "must be 1 for " + std::string(model_.mapping->model_type),
                  ErrorCode::kModelFormatUnsupported);
    }
    if (rope_.rotated == 0 || rope_.rotated % 2 != 0) {
      from.refuse("partial_rotary_factor", "must rotate an even number of the " +
                                               std::to_string(model_.head) + " numbers of a head");
    }
  }

  static std::string_view type_key(const ConfigReader& scaling) {
    return scaling.has("rope_type") ? "rope_type" : "type";
  }
  static std::string type_of(const ConfigReader& scaling) {
    return scaling.text(type_key(scaling)).value_or("default");
  }

  void read_scaling(const ConfigReader& scaling) {
    const std::string type = type_of(scaling);
    if (type == "default") return;
    if (type == "linear") return read_linear(scaling);
    if (type == "yarn" && rule_ != RopeRule::kPerWindow) return read_yarn(scaling);
    if (type == "llama3" && rule_ == RopeRule::kLlama3) return read_llama3(scaling);
    const bool long_rope = type == "longrope" || type == "su";
    if (long_rope && (rule_ == RopeRule::kLlama3 || rule_ == RopeRule::kLongRope))
      return read_long_rope(scaling);
    scaling.refuse(type_key(scaling),
                   "\"" + type.substr(0, 40) + "\" is not supported for " +
                       std::string(model_.mapping->model_type) +
                       "; choose a checkpoint without it, or a GGUF file of the model",
                   ErrorCode::kModelFormatUnsupported);
  }

  double factor_of(const ConfigReader& scaling) {
    const auto factor = scaling.number("factor", 1, kMostFactor);
    if (!factor) scaling.refuse("factor", "is missing");
    return *factor;
  }

  // Relative to the context that the model was first trained for.
  std::uint32_t original_context(const ConfigReader& scaling) {
    constexpr std::string_view kKey = "original_max_position_embeddings";
    auto original = scaling.whole(kKey, 1, kMostContext);
    if (!original) original = config_.whole(kKey, 1, kMostContext);
    return static_cast<std::uint32_t>(original.value_or(model_.context));
  }

  void read_linear(const ConfigReader& scaling) {
    rope_.scaling = RopeScaling::kLinear;
    rope_.factor = factor_of(scaling);
  }

  void read_yarn(const ConfigReader& scaling) {
    rope_.scaling = RopeScaling::kYarn;
    rope_.factor = factor_of(scaling);
    rope_.original_context = original_context(scaling);
    must_be(scaling, "beta_fast", kBetaFast);
    must_be(scaling, "beta_slow", kBetaSlow);
    if (!scaling.flag("truncate").value_or(true))
      scaling.refuse("truncate", "must be true", ErrorCode::kModelFormatUnsupported);
    const double own = yarn_magnitude(rope_.factor);  // llama.cpp multiplies by it in any case
    const double mscale = scaling.number("mscale", 0, kMostFactor).value_or(0);
    const double all = scaling.number("mscale_all_dim", 0, kMostFactor).value_or(0);
    double wanted = own;
    if (mscale > 0 && all > 0)
      wanted = yarn_magnitude(rope_.factor, mscale) / yarn_magnitude(rope_.factor, all);
    rope_.attention_factor =
        scaling.number("attention_factor", 1e-6, kMostFactor).value_or(wanted) / own;
  }

  void must_be(const ConfigReader& scaling, std::string_view key, double value) {
    if (scaling.number(key, 0, kMostFactor).value_or(value) == value) return;
    scaling.refuse(key, "must be " + std::to_string(static_cast<int>(value)),
                   ErrorCode::kModelFormatUnsupported);
  }

  void read_llama3(const ConfigReader& scaling) {
    const double factor = factor_of(scaling);
    const double low = scaling.number("low_freq_factor", 1e-6, kMostFactor).value_or(1);
    const double high = scaling.number("high_freq_factor", 1e-6, kMostFactor).value_or(4);
    if (!(low < high)) {
      scaling.refuse("high_freq_factor",
                     "must be more than `low_freq_factor`, which is " + std::to_string(low));
    }
    const double original = original_context(scaling);
    for (std::uint32_t pair = 0; pair < rope_.rotated / 2; ++pair) {
      const double wave = 2 * std::numbers::pi * std::pow(rope_.base, 2.0 * pair / rope_.rotated);
      const double smooth = (original / wave - low) / (high - low);
      double divisor = 1 / ((1 - smooth) / factor + smooth);
      if (wave < original / high) divisor = 1;
      if (wave > original / low) divisor = factor;
      rope_.factors.push_back(static_cast<float>(divisor));
    }
  }

  void read_long_rope(const ConfigReader& scaling) {
    rope_.scaling = RopeScaling::kLongRope;
    for (const char* key : {"short_mscale", "long_mscale"}) {
      if (scaling.has(key))
        scaling.refuse(key, "is not supported", ErrorCode::kModelFormatUnsupported);
    }
    rope_.short_factors = factors_of(scaling, "short_factor");
    rope_.long_factors = factors_of(scaling, "long_factor");
    rope_.original_context = original_context(scaling);
    const double longer = static_cast<double>(model_.context) / rope_.original_context;
    const double factor =
        longer > 1 ? longer : scaling.number("factor", 1, kMostFactor).value_or(1);
    const double wanted =
        factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(rope_.original_context));
    rope_.attention_factor = scaling.number("attention_factor", 1e-6, kMostFactor).value_or(wanted);
  }

  std::vector<float> factors_of(const ConfigReader& scaling, std::string_view key) {
    const auto factors = scaling.numbers(key, rope_.rotated / 2, 1e-6, kMostFactor);
    if (!factors) scaling.refuse(key, "is missing");
    return *factors;
  }

  const ConfigReader& config_;
  const ModelConfig& model_;
  RopeRule rule_;
  std::optional<ConfigReader> full_;  // of full-attention layers, if layers differ
  RopeConfig rope_;
};

}  // namespace

RopeConfig read_rope_config(const ConfigReader& reader, const ModelConfig& config) {
  return RopeReader(reader, config).read();
}

}  // namespace infernode
