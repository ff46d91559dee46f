#include "checkpoint/quantization_keys.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "checkpoint/refuse.h"

namespace infernode {
namespace {

[[noreturn]] void wrong_type(const ConfigObject& config, const char* key, const char* expected) {
  refuse_corrupt(config, std::string(key) + " must be " + expected + ", not " +
                             config.value.at(key).type_name());
}

struct RefusedMethod {
  const char* method;
  const char* name;
  const char* instead;
};

constexpr const char* kFour = "take an AWQ, GPTQ or compressed-tensors W4A16 checkpoint, or a GGUF";
constexpr const char* kPlain =
    "take the model's F16 or BF16 checkpoint, which can be quantized as it is loaded, or a GGUF";
constexpr const char* kFp4 =
    "take a GGUF of the model, or its AWQ or compressed-tensors W4A16 checkpoint";
constexpr RefusedMethod kRefused[] = {
    {"aqlm", "AQLM", kFour},
    {"bitnet", "BitNet", kFour},
    {"bitsandbytes", "bitsandbytes", kPlain},
    {"eetq", "EETQ", kPlain},
    {"exl2", "ExLlamaV2", kFour},
    {"exl3", "ExLlamaV3", kFour},
    {"fbgemm_fp8", "FP8 (FBGEMM)", kPlain},
    {"fp8", "FP8", kPlain},
    {"fp_quant", "FP-Quant", kFp4},
    {"higgs", "HIGGS", kFour},
    {"hqq", "HQQ", kFour},
    {"marlin", "packed for Marlin", kFour},
    {"mlx", "MLX", kFour},
    {"modelopt", "ModelOpt (FP8, NVFP4)", kFp4},
    {"modelopt_fp4", "ModelOpt NVFP4", kFp4},
    {"mxfp4", "MXFP4", kFp4},
    {"mxfp8", "MXFP8", kPlain},
    {"nvfp4", "NVFP4", kFp4},
    {"qqq", "QQQ", kFour},
    {"quanto", "quanto", kPlain},
    {"quark", "Quark", kPlain},
    {"quip", "QuIP#", kFour},
    {"sinq", "SINQ", kFour},
    {"smoothquant", "SmoothQuant", "take a compressed-tensors W8A8 checkpoint, or a GGUF"},
    {"spqr", "SpQR", kFour},
    {"squeezellm", "SqueezeLLM", kFour},
    {"torchao", "torchao", kPlain},
    {"vptq", "VPTQ", kFour},
};

}  // namespace

const nlohmann::json* ConfigObject::find(const char* key) const {
  const auto found = value.find(key);
  return found == value.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::int64_t> ConfigObject::integer(const char* key) const {
  const nlohmann::json* const found = find(key);
  if (found == nullptr) return std::nullopt;
  if (!found->is_number_integer()) wrong_type(*this, key, "a whole number");
  return found->get<std::int64_t>();
}

std::optional<bool> ConfigObject::boolean(const char* key) const {
  const nlohmann::json* const found = find(key);
  if (found == nullptr) return std::nullopt;
  if (!found->is_boolean()) wrong_type(*this, key, "true or false");
  return found->get<bool>();
}

std::optional<std::string> ConfigObject::text(const char* key) const {
  const nlohmann::json* const found = find(key);
  if (found == nullptr) return std::nullopt;
  if (!found->is_string()) wrong_type(*this, key, "a text");
  auto text = found->get<std::string>();
  std::ranges::transform(text, text.begin(), [](unsigned char letter) {
    return static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter + ('a' - 'A') : letter);
  });
  return text;
}

std::optional<ConfigObject> ConfigObject::object(const char* key) const {
  const nlohmann::json* const found = find(key);
  if (found == nullptr) return std::nullopt;
  if (!found->is_object()) wrong_type(*this, key, "an object");
  return ConfigObject{.value = *found, .label = label + "." + key};
}

void refuse(const ConfigObject& config, const std::string& what, const std::string& instead) {
  throw Error(ErrorCode::kModelFormatUnsupported,
              config.label + ": " + what + " is not supported; " + instead);
}

void refuse_corrupt(const ConfigObject& config, const std::string& sentence) {
  throw Error(ErrorCode::kModelCorrupt, config.label + ": " + sentence);
}

void refuse_method(const ConfigObject& config, const std::string& method) {
  const auto* const found = std::ranges::find_if(
      kRefused, [&](const RefusedMethod& each) { return each.method == method; });
  if (found != std::end(kRefused)) {
    refuse(config, "the quantization method " + quoted_name(method) + " (" + found->name + ")",
           found->instead);
  }
  refuse(config, "the quantization method " + quoted_name(method) + ", which is unknown here,",
         kFour);
}

std::size_t group_size_of(const ConfigObject& config, const char* key) {
  const std::int64_t size = config.integer(key).value_or(-1);
  if (size == -1) return 0;
  if (size <= 0) {
    refuse_corrupt(config,
                   std::string(key) + " must be -1 or positive, not " + std::to_string(size));
  }
  if (size % 32 != 0) {
    refuse(config, std::string(key) + " " + std::to_string(size),
           "take a checkpoint with groups of 32, 64 or 128, or a GGUF");
  }
  return static_cast<std::size_t>(size);
}

}  // namespace infernode
