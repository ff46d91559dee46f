#include "checkpoint/quantization_config.h"

#include <nlohmann/json.hpp>

#include "checkpoint/quantization_keys.h"
#include "checkpoint/refuse.h"

namespace infernode {
namespace {

constexpr std::size_t kMostConfigBytes = std::size_t{16} << 20;

bool says_auto_round(const std::string& method) {
  return method == "auto-round" || method == "auto_round" || method == "intel/auto-round";
}

// auto-round's own method uses the packings of the other formats.
QuantConfig auto_round_config(const ConfigObject& config) {
  const std::string packing = config.text("packing_format").value_or("auto_round:auto_gptq");
  if (packing == "auto_round:auto_awq" || packing == "auto_round:awq") return awq_config(config);
  QuantConfig read = gptq_config(config);
  if (packing == "auto_round:auto_gptq" || packing == "auto_round:gptq") return read;
  if (packing == "auto_round" || packing == "auto_round:gptqmodel") {
    read.format = QuantFormat::kGptqV2;
    read.name = "GPTQ v2";
    return read;
  }
  refuse(config, "packing_format " + quoted_name(packing),
         "take an export in auto-round's formats auto_awq, auto_gptq or llm_compressor");
}

QuantConfig config_of_method(const ConfigObject& config, const std::string& method) {
  if (method == "awq") return awq_config(config);
  if (method == "gptq") return gptq_config(config);
  if (method == "compressed-tensors") return compressed_config(config);
  if (says_auto_round(method)) return auto_round_config(config);
  refuse_method(config, method);
}

std::string method_of(const ConfigObject& config, const char* otherwise) {
  if (const std::optional<std::string> method = config.text("quant_method")) return *method;
  if (config.find("w_bit") != nullptr) return "awq";
  for (const char* const key : {"load_in_4bit", "load_in_8bit", "_load_in_4bit"}) {
    if (config.boolean(key).value_or(false)) return "bitsandbytes";
  }
  if (otherwise == nullptr) {
    refuse_corrupt(config, "quant_method is missing; download the checkpoint's config again");
  }
  return otherwise;
}

// Separate files of older makers, and auto-round's copy of the object in config.json.
struct OldFile {
  const char* name;
  const char* method;  // default if the file names none; nullptr: it must name one
};
constexpr OldFile kOldFiles[] = {{"quantization_config.json", nullptr},
                                 {"quantize_config.json", "gptq"},
                                 {"quant_config.json", "awq"}};

std::optional<QuantConfig> main_config(const CheckpointFolder& folder) {
  const std::optional<Json> json = folder.json("config.json", kMostConfigBytes);
  if (!json) return std::nullopt;
  const ConfigObject whole = {.value = *json, .label = quoted_path(folder.label("config.json"))};
  const std::optional<ConfigObject> text = whole.object("text_config");
  for (const ConfigObject* const owner : {&whole, text ? &*text : nullptr}) {
    if (owner == nullptr) continue;
    if (owner->object("quantization") && owner->object("quantization")->find("bits") != nullptr) {
      refuse_method(*owner->object("quantization"), "mlx");
    }
    for (const char* const key : {"quantization_config", "compression_config"}) {
      const std::optional<ConfigObject> config = owner->object(key);
      if (!config) continue;
      const bool old = std::string_view(key) == "compression_config";
      return config_of_method(*config, method_of(*config, old ? "compressed-tensors" : nullptr));
    }
  }
  return std::nullopt;
}

// The keys that both may contain for the same weights.
void judge_same(const QuantConfig& main, const ConfigObject& other) {
  const auto differs = [&](const char* key, const char* old_key, std::int64_t expected) {
    const std::optional<std::int64_t> said =
        other.integer(key) ? other.integer(key) : other.integer(old_key);
    return said && *said != expected;
  };
  const std::int64_t group = main.group == 0 ? -1 : static_cast<std::int64_t>(main.group);
  if (!differs("bits", "w_bit", main.bits) && !differs("group_size", "q_group_size", group)) return;
  refuse_corrupt(other, "contradicts " + main.label +
                            " in bits or group size; delete what is not this checkpoint's");
}

}  // namespace

std::optional<QuantConfig> read_quant_config(const CheckpointFolder& folder) {
  std::optional<QuantConfig> config = main_config(folder);
  for (const OldFile& file : kOldFiles) {
    const std::optional<Json> json = folder.json(file.name, kMostConfigBytes);
    if (!json) continue;
    const ConfigObject other = {.value = *json, .label = quoted_path(folder.label(file.name))};
    if (config) {
      judge_same(*config, other);
    } else {
      config = config_of_method(other, method_of(other, file.method));
    }
  }
  return config;
}

}  // namespace infernode
