#include "checkpoint/tensor_types.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "core/sampling/worker_pool.h"
#include "core/types.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

PackedType stored_type(TensorDtype dtype, bool keep_bf16) {
  if (dtype == TensorDtype::kF32) return PackedType::kF32;
  return dtype == TensorDtype::kBf16 && keep_bf16 ? PackedType::kBf16 : PackedType::kF16;
}

PackedType plain_type(const PlannedTensor& tensor, const CheckpointOptions& options) {
  if (tensor.plain == nullptr || tensor.role == TensorRole::kNorm ||
      tensor.role == TensorRole::kBias)
    return PackedType::kF32;  // llama.cpp supports only this type here
  if (options.profile == PackingProfile::kF32) return PackedType::kF32;
  const PackedType stored = stored_type(tensor.plain->dtype, options.keep_bf16);
  const PackedType wanted = options.plain_type.value_or(stored);
  return tensor.columns % packed_block(wanted) == 0 ? wanted : stored;
}

constexpr std::size_t kQ4_KGroup = 128;  // from this group size on, Q4_K nearly always fits

MatrixFacts facts_of(const PlannedTensor& tensor, const CheckpointOptions& options,
                     bool symmetric) {
  const QuantizedMatrix& matrix = *tensor.quantized;
  if (options.headers_only) {
    MatrixFacts facts;
    facts.bits = matrix.bits();
    facts.symmetric = symmetric;
    const bool wide = matrix.group() >= kQ4_KGroup;
    if (wide && tensor.columns % packed_block(PackedType::kQ4_K) == 0) facts.q4_k.emplace();
    return facts;
  }
  return examine_matrix(matrix, options.profile, tensor.scales);
}

PackedType quantized_type(const PlannedTensor& tensor, const CheckpointOptions& options,
                          bool symmetric) {
  const MatrixFacts facts = facts_of(tensor, options, symmetric);
  const PackedType type = choose_packing(options.profile, facts);
  if (tensor.columns % packed_block(type) != 0) {
    throw Error(ErrorCode::kModelFormatUnsupported,
                quoted_path(options.path) + ": '" + printable(tensor.source) + "' has " +
                    std::to_string(tensor.columns) + " inputs, not a multiple of " +
                    std::to_string(packed_block(type)) + "; load it with the profile f32.");
  }
  return type;
}

}  // namespace

std::vector<PackedType> choose_types(std::span<const PlannedTensor> tensors,
                                     const CheckpointOptions& options, bool symmetric,
                                     int threads) {
  std::vector<PackedType> types(tensors.size());
  WorkerPool pool(threads - 1);
  pool.run(tensors.size(), [&](std::size_t index, std::size_t) {
    const PlannedTensor& tensor = tensors[index];
    types[index] =
        tensor.quantized ? quantized_type(tensor, options, symmetric) : plain_type(tensor, options);
  });
  return types;
}

std::uint32_t file_type_of(std::span<const PlannedTensor> tensors,
                           std::span<const PackedType> types) {
  constexpr std::array<std::pair<PackedType, std::uint32_t>, 8> kNumbers = {
      {{PackedType::kF32, 0},
       {PackedType::kF16, 1},
       {PackedType::kBf16, 32},
       {PackedType::kQ4_0, 2},
       {PackedType::kQ4_1, 3},
       {PackedType::kQ5_0, 8},
       {PackedType::kQ8_0, 7},
       {PackedType::kQ4_K, 15}}};
  std::map<PackedType, std::uint64_t> weights;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].role == TensorRole::kLinear)
      weights[types[i]] += tensors[i].rows * tensors[i].columns;
  }
  const auto most =
      std::ranges::max_element(weights, {}, [](const auto& entry) { return entry.second; });
  const PackedType type = most == weights.end() ? PackedType::kF32 : most->first;
  return std::ranges::find(kNumbers, type, [](const auto& row) { return row.first; })->second;
}

}  // namespace infernode
