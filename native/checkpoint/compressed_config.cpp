// The config of compressed-tensors: one scheme for all quantized layers, integers of 4 or 8 bits.
// Refuses floats, sparsity, transforms, activations with static scales, and schemes that differ
// between layers. Weight-only schemes and dynamic activations load; see decision 0040.
#include <nlohmann/json.hpp>

#include "checkpoint/quantization_keys.h"
#include "checkpoint/refuse.h"

namespace infernode {
namespace {

constexpr const char* kWeightOnly =
    "take a compressed-tensors W4A16 or W8A16 checkpoint of the model, or a GGUF";

std::string layout_of(const ConfigObject& config, const ConfigObject& group) {
  const std::string own = group.text("format").value_or(config.text("format").value_or(""));
  if (own != "mixed-precision") return own;
  return "";
}

QuantFormat format_of(const ConfigObject& config, const std::string& layout) {
  if (layout == "pack-quantized") return QuantFormat::kPacked;
  if (layout == "int-quantized" || layout == "naive-quantized") return QuantFormat::kSignedBytes;
  if (layout.empty()) refuse_corrupt(config, "format is missing");
  refuse(config, "the format " + quoted_name(layout), kWeightOnly);
}

void judge_activations(const ConfigObject& group, QuantConfig& read) {
  if (group.object("output_activations")) refuse(group, "output_activations", kWeightOnly);
  const std::optional<ConfigObject> inputs = group.object("input_activations");
  if (!inputs) return;
  if (inputs->text("type").value_or("int") != "int" ||
      inputs->integer("num_bits").value_or(8) != 8) {
    refuse(*inputs, "activations other than integers of 8 bits", kWeightOnly);
  }
  const nlohmann::json* const dynamic = inputs->find("dynamic");
  if (dynamic == nullptr || !dynamic->is_boolean() || !dynamic->get<bool>()) {
    refuse(*inputs, "activations with static scales (dynamic is not true)",
           "take a checkpoint with dynamic activations (W8A8) or weight-only, or a GGUF");
  }
  read.dynamic_activations = true;
}

void read_strategy(const ConfigObject& weights, QuantConfig& read) {
  read.group = group_size_of(weights, "group_size");
  const std::string strategy =
      weights.text("strategy").value_or(read.group == 0 ? "channel" : "group");
  if (strategy == "channel") {
    read.group = 0;
  } else if (strategy != "group") {
    refuse(weights, "the strategy " + quoted_name(strategy),
           "take a checkpoint with one scale a group or a channel, or a GGUF");
  } else if (read.group == 0) {
    refuse_corrupt(weights, "strategy is \"group\" but group_size is missing");
  }
}

void judge_order(const ConfigObject& weights, QuantConfig& read) {
  const nlohmann::json* const order = weights.find("actorder");
  if (order == nullptr || (order->is_boolean() && !order->get<bool>())) return;
  // "weight", also called "static", affects the calibration order, not what is stored.
  const std::string name = order->is_string() ? *weights.text("actorder") : "group";
  read.reordered = name != "weight" && name != "static";
}

void read_weights(const ConfigObject& weights, QuantConfig& read) {
  if (weights.text("type").value_or("int") != "int") {
    refuse(weights, "the type " + quoted_name(*weights.text("type")), kWeightOnly);
  }
  const std::int64_t bits = weights.integer("num_bits").value_or(8);
  if (bits != 4 && bits != 8) {
    refuse(weights, "num_bits " + std::to_string(bits), kWeightOnly);
  }
  const nlohmann::json* const dynamic = weights.find("dynamic");
  if (dynamic != nullptr && (!dynamic->is_boolean() || dynamic->get<bool>())) {
    refuse(weights, "dynamic quantization of weights", kWeightOnly);
  }
  read.bits = static_cast<int>(bits);
  read.symmetric = weights.boolean("symmetric").value_or(true);
  read_strategy(weights, read);
  judge_order(weights, read);
}

bool same(const QuantConfig& a, const QuantConfig& b) {
  return a.format == b.format && a.bits == b.bits && a.group == b.group &&
         a.symmetric == b.symmetric && a.reordered == b.reordered;
}

void judge_sparsity(const ConfigObject& config) {
  const std::optional<ConfigObject> sparsity = config.object("sparsity_config");
  const std::string format = sparsity ? sparsity->text("format").value_or("dense") : "dense";
  if (format != "dense") {
    refuse(config, "sparsity_config of format " + quoted_name(format), kWeightOnly);
  }
  const std::optional<ConfigObject> transforms = config.object("transform_config");
  if (transforms && transforms->find("config_groups") != nullptr &&
      !transforms->find("config_groups")->empty()) {
    refuse(config, "transform_config", "take a checkpoint without transforms, or a GGUF");
  }
}

QuantConfig read_group(const ConfigObject& config, const ConfigObject& group) {
  QuantConfig read;
  read.label = config.label;
  const std::optional<ConfigObject> weights = group.object("weights");
  if (!weights) refuse(group, "a config group without weights", kWeightOnly);
  const std::string layout = layout_of(config, group);
  read.format = format_of(group, layout);
  read.name = "compressed-tensors " + layout;
  read_weights(*weights, read);
  judge_activations(group, read);
  return read;
}

}  // namespace

QuantConfig compressed_config(const ConfigObject& config) {
  judge_sparsity(config);
  const std::optional<ConfigObject> groups = config.object("config_groups");
  if (!groups || groups->value.empty()) refuse_corrupt(config, "config_groups is missing or empty");
  std::optional<QuantConfig> all;
  for (const auto& [name, value] : groups->value.items()) {
    const std::optional<ConfigObject> group = groups->object(name.c_str());
    if (!group) refuse_corrupt(*groups, quoted_name(name) + " must be an object");
    const QuantConfig one = read_group(config, *group);
    if (all && !same(*all, one)) {
      refuse(*groups, "several groups with different weights",
             "take a checkpoint whose layers are all quantized alike, or a GGUF");
    }
    if (!all) all = one;
    all->dynamic_activations = all->dynamic_activations || one.dynamic_activations;
  }
  all->cache_scheme = config.find("kv_cache_scheme") != nullptr;
  return *all;
}

}  // namespace infernode
