#include "checkpoint/quantization.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/module_tensors.h"
#include "checkpoint/quantization_config.h"
#include "checkpoint/quantized_formats.h"
#include "core/types.h"

namespace infernode {
namespace {

using Suffixes = std::array<std::string_view, 6>;
// The first suffix is the weight's; unused entries are empty.
constexpr Suffixes kAwqSuffixes = {".qweight", ".qzeros", ".scales"};
constexpr Suffixes kLlmAwqSuffixes = {".qweight", ".scaled_zeros", ".scales", ".qzeros"};
constexpr Suffixes kGptqSuffixes = {".qweight", ".qzeros", ".scales", ".g_idx"};
constexpr Suffixes kPackedSuffixes = {".weight_packed", ".weight_scale", ".weight_shape",
                                      ".weight_zero_point", ".weight_g_idx"};
constexpr Suffixes kSignedSuffixes = {".weight", ".weight_scale", ".weight_zero_point",
                                      ".weight_shape", ".weight_g_idx"};
constexpr std::array<std::string_view, 8> kCacheSuffixes = {
    ".k_scale",      ".v_scale",  ".k_zero_point",      ".v_zero_point",
    ".output_scale", ".kv_scale", ".output_zero_point", ".q_scale"};

// What differs between formats; a new one is a row here and a file that opens its matrices.
struct FormatRule {
  QuantFormat format;
  const Suffixes& suffixes;
  std::size_t row_unit;  // outputs come in multiples of this
  std::unique_ptr<QuantizedMatrix> (*open)(const ModuleTensors& module, MatrixShape shape,
                                           const QuantConfig& config);
};
constexpr std::array<FormatRule, 8> kFormats = {{
    {QuantFormat::kAwqGemm, kAwqSuffixes, 8, open_awq_gemm},
    {QuantFormat::kAwqGemv, kAwqSuffixes, 8, open_awq_gemv},
    {QuantFormat::kAwqFast, kAwqSuffixes, 8, open_awq_fast},
    {QuantFormat::kLlmAwq, kLlmAwqSuffixes, 8, open_llm_awq},
    {QuantFormat::kGptqV1, kGptqSuffixes, 8, open_gptq},
    {QuantFormat::kGptqV2, kGptqSuffixes, 8, open_gptq},
    {QuantFormat::kPacked, kPackedSuffixes, 1, open_packed},
    {QuantFormat::kSignedBytes, kSignedSuffixes, 1, open_signed_bytes},
}};

const FormatRule& rule_of(QuantFormat format) {
  const auto* const found = std::ranges::find(kFormats, format, &FormatRule::format);
  INFERNODE_CHECK(found != kFormats.end(), "every format has a rule");
  return *found;
}

class FolderQuantization final : public Quantization {
 public:
  FolderQuantization(const CheckpointFolder& folder, QuantConfig config)
      : folder_(folder), config_(std::move(config)), rule_(rule_of(config_.format)) {}

  std::string description() const override {
    std::string text = config_.name + ", " + std::to_string(config_.bits) + " bits, ";
    text += config_.group == 0 ? "one scale a row" : "groups of " + std::to_string(config_.group);
    text += config_.symmetric ? ", symmetric" : ", asymmetric";
    if (config_.dynamic_activations) {
      text += "; activations are rounded as ggml rounds them, not as the checkpoint says";
    }
    if (config_.cache_scheme) text += "; its KV cache scheme is not followed";
    return text;
  }
  bool symmetric() const override { return config_.symmetric; }

  std::unique_ptr<QuantizedMatrix> open(const std::string& module,
                                        LinearShape shape) const override {
    const ModuleTensors tensors(folder_, module);
    const StoredTensor* const quants = weight_of(tensors);
    if (quants == nullptr) return nullptr;
    const MatrixShape judged = judged_shape(*quants, shape);
    judge_not_marlin(tensors, judged);
    return rule_.open(tensors, judged, config_);
  }

  bool owns(std::string_view tensor) const override {
    const std::size_t dot = tensor.rfind('.');
    if (dot == std::string_view::npos) return false;
    const std::string_view suffix = tensor.substr(dot);
    if (suffix == ".weight") return is_signed(folder_.find(tensor));
    if (config_.cache_scheme && std::ranges::find(kCacheSuffixes, suffix) != kCacheSuffixes.end()) {
      return true;
    }
    return std::ranges::find(rule_.suffixes, suffix) != rule_.suffixes.end();
  }

 private:
  bool is_signed(const StoredTensor* tensor) const {
    return config_.format == QuantFormat::kSignedBytes && tensor != nullptr &&
           tensor->dtype == TensorDtype::kI8;
  }

  // nullptr: the module is plain, or does not exist.
  const StoredTensor* weight_of(const ModuleTensors& tensors) const {
    const StoredTensor* const plain = tensors.find(".weight");
    if (config_.format == QuantFormat::kSignedBytes) {
      if (is_signed(plain)) return plain;
    } else if (const StoredTensor* const quants = tensors.find(rule_.suffixes[0])) {
      if (plain == nullptr) return quants;
      throw_corrupt(folder_, *quants,
                    "stands beside " + plain->name + "; a layer is quantized or plain, not both");
    }
    for (const std::string_view suffix : rule_.suffixes) {
      const StoredTensor* const left = suffix.empty() ? nullptr : tensors.find(suffix);
      if (left == nullptr || left == plain) continue;
      throw_corrupt(folder_, *left,
                    "has no quantized weight beside it: " + tensors.module() +
                        std::string(rule_.suffixes[0]) +
                        " is missing; download the checkpoint again");
    }
    return nullptr;
  }

  MatrixShape judged_shape(const StoredTensor& quants, LinearShape linear) const {
    INFERNODE_CHECK(linear.rows > 0 && linear.columns > 0, "a linear layer without dimensions");
    MatrixShape shape = {
        .rows = linear.rows,
        .columns = linear.columns,
        .group = config_.group == 0 ? linear.columns : std::min(config_.group, linear.columns),
        .bits = config_.bits};
    const auto refuse_size = [&](const std::string& what, std::size_t size, std::size_t unit) {
      throw Error(ErrorCode::kModelFormatUnsupported,
                  tensor_label(folder_, quants) + " has " + std::to_string(size) + " " + what +
                      ", which is not a multiple of " + std::to_string(unit) +
                      "; take a plain checkpoint of the model or a GGUF");
    };
    if (shape.columns % shape.group != 0) refuse_size("inputs", shape.columns, shape.group);
    if (shape.columns % 32 != 0) refuse_size("inputs", shape.columns, 32);
    if (shape.rows % rule_.row_unit != 0) refuse_size("outputs", shape.rows, rule_.row_unit);
    return shape;
  }

  // Marlin's tiles: one row for 16 inputs of all outputs, and no zero points.
  void judge_not_marlin(const ModuleTensors& tensors, const MatrixShape& shape) const {
    const StoredTensor* const quants = tensors.find(".qweight");
    if (quants == nullptr || tensors.find(".qzeros") != nullptr ||
        quants->shape != std::vector<std::uint64_t>{shape.columns / 16, 2 * shape.rows}) {
      return;
    }
    throw Error(ErrorCode::kModelFormatUnsupported,
                tensor_label(folder_, *quants) +
                    " is packed for Marlin, which is not supported; take the checkpoint in the "
                    "format it was packed from (AWQ gemm, GPTQ), or a GGUF");
  }

  const CheckpointFolder& folder_;
  QuantConfig config_;
  const FormatRule& rule_;
};

}  // namespace

std::unique_ptr<const Quantization> read_quantization(const CheckpointFolder& folder) {
  if (std::optional<QuantConfig> config = read_quant_config(folder)) {
    return std::make_unique<FolderQuantization>(folder, *std::move(config));
  }
  for (const StoredTensor& tensor : folder.tensors()) {
    for (const std::string_view suffix : {".qweight", ".weight_packed", ".scaled_zeros"}) {
      if (!tensor.name.ends_with(suffix)) continue;
      throw_corrupt(folder, tensor,
                    "is quantized, but config.json has no quantization_config; download the "
                    "checkpoint's config.json again");
    }
  }
  return nullptr;
}

}  // namespace infernode
