// The configs of AutoAWQ, llm-awq, GPTQ and auto-round. Refuses kernel-specific packings, bit
// widths that ggml's blocks cannot represent exactly, and layers quantized differently from the
// others.
#include <nlohmann/json.hpp>

#include "checkpoint/quantization_keys.h"
#include "checkpoint/refuse.h"

namespace infernode {
namespace {

constexpr const char* kOtherPacking =
    "take the checkpoint in the format it was packed from (AWQ gemm, GPTQ), or a GGUF";
constexpr const char* kOneScheme =
    "take a checkpoint whose layers are all quantized alike, or a GGUF";

bool has_entries(const ConfigObject& config, const char* key) {
  const nlohmann::json* const found = config.find(key);
  return found != nullptr && found->is_structured() && !found->empty();
}

void judge_storage(const ConfigObject& config) {
  const std::string type = config.text("pack_dtype").value_or("int32");
  if (type != "int32" && type != "torch.int32") {
    refuse(config, "pack_dtype " + quoted_name(type),
           "take a checkpoint packed in int32, or a GGUF");
  }
  if (config.boolean("is_marlin_format").value_or(false)) {
    refuse(config, "is_marlin_format: true", kOtherPacking);
  }
  for (const char* const key : {"modules", "rotation_config", "transform_config"}) {
    if (has_entries(config, key)) refuse(config, key, kOneScheme);
  }
}

// GPTQModel: "-:pattern" excludes modules, which the tensors show anyway; other patterns change
// bits or groups.
void judge_dynamic(const ConfigObject& config) {
  const std::optional<ConfigObject> dynamic = config.object("dynamic");
  if (!dynamic) return;
  for (const auto& [pattern, change] : dynamic->value.items()) {
    if (pattern.starts_with("-:") || change.empty()) continue;
    refuse(config, "dynamic (" + quoted_name(pattern) + " is quantized in a way of its own)",
           kOneScheme);
  }
}

// auto-round: more than 8 bits means not quantized.
void judge_extra(const ConfigObject& config, const QuantConfig& all) {
  if (config.text("data_type").value_or("int") != "int") {
    refuse(config, "data_type " + quoted_name(*config.text("data_type")), kOneScheme);
  }
  if (config.integer("act_bits").value_or(16) < 16) {
    refuse(config, "act_bits", "take a weight-only export, or a GGUF");
  }
  const std::optional<ConfigObject> extra = config.object("extra_config");
  if (!extra) return;
  for (const auto& [layer, keys] : extra->value.items()) {
    const std::optional<ConfigObject> own = extra->object(layer.c_str());
    if (!own) continue;
    const std::int64_t bits = own->integer("bits").value_or(all.bits);
    if (bits > 8) continue;
    const bool regroups =
        own->find("group_size") != nullptr && group_size_of(*own, "group_size") != all.group;
    if (bits != all.bits || regroups || own->text("data_type").value_or("int") != "int") {
      refuse(config, "extra_config (" + quoted_name(layer) + " is quantized in a way of its own)",
             kOneScheme);
    }
  }
}

int bits_of(const ConfigObject& config, const char* key, bool eight) {
  const std::optional<std::int64_t> bits = config.integer(key);
  if (!bits) refuse_corrupt(config, std::string(key) + " is missing");
  if (*bits == 4 || (eight && *bits == 8)) return static_cast<int>(*bits);
  refuse(config, std::string(key) + " " + std::to_string(*bits),
         "take a checkpoint of 4 bits, or a GGUF");
}

const char* key_there(const ConfigObject& config, const char* key, const char* old_key) {
  return config.find(key) == nullptr && config.find(old_key) != nullptr ? old_key : key;
}

QuantFormat awq_layout(const ConfigObject& config) {
  const std::string backend = config.text("backend").value_or("");
  std::string version = config.text("version").value_or("");
  // GPTQModel's name for it.
  for (const char* const key : {"checkpoint_format", "format"}) {
    if (version.empty()) version = config.text(key).value_or("");
  }
  if (backend == "llm-awq" || version == "llm-awq") {
    return version == "gemm" ? QuantFormat::kAwqGemm : QuantFormat::kLlmAwq;
  }
  if (version.empty() || version == "gemm") return QuantFormat::kAwqGemm;  // the makers' default
  if (version == "gemv") return QuantFormat::kAwqGemv;
  if (version == "gemv_fast" || version == "gemvfast") return QuantFormat::kAwqFast;
  refuse(config, "AWQ version " + quoted_name(version),
         "take the checkpoint in version gemm, or a GGUF");
}

const char* awq_name(QuantFormat format) {
  switch (format) {
    case QuantFormat::kAwqGemm:
      return "AWQ gemm";
    case QuantFormat::kAwqGemv:
      return "AWQ gemv";
    case QuantFormat::kAwqFast:
      return "AWQ gemv_fast";
    default:
      return "llm-awq";
  }
}

}  // namespace

QuantConfig awq_config(const ConfigObject& config) {
  QuantConfig read;
  read.label = config.label;
  judge_storage(config);
  judge_dynamic(config);
  read.bits = bits_of(config, key_there(config, "bits", "w_bit"), false);
  read.group = group_size_of(config, key_there(config, "group_size", "q_group_size"));
  read.symmetric = config.boolean("sym").value_or(!config.boolean("zero_point").value_or(true));
  read.format = awq_layout(config);
  read.name = awq_name(read.format);
  judge_extra(config, read);
  return read;
}

QuantConfig gptq_config(const ConfigObject& config) {
  QuantConfig read;
  read.format = QuantFormat::kGptqV1;
  read.name = "GPTQ";
  read.label = config.label;
  judge_storage(config);
  judge_dynamic(config);
  read.bits = bits_of(config, "bits", true);
  read.group = group_size_of(config, "group_size");
  read.symmetric = config.boolean("sym").value_or(false);
  read.reordered = config.boolean("desc_act").value_or(false);
  const char* const key = key_there(config, "checkpoint_format", "format");
  const std::string layout = config.text(key).value_or("gptq");
  if (layout == "gptq_v2") {
    read.format = QuantFormat::kGptqV2;
    read.name = "GPTQ v2";
  } else if (layout != "gptq") {
    refuse(config, std::string(key) + " " + quoted_name(layout), kOtherPacking);
  }
  judge_extra(config, read);
  return read;
}

}  // namespace infernode
