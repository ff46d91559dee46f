// compressed-tensors: pack-quantized, words [out][in / 8] (in / 4 of 8 bits) of inputs in
// natural order, shifted to be unsigned; and int-quantized, signed bytes [out][in]. Scales
// [out][groups] in the model's own type. Zero points, where there are any, are packed along
// the rows; older versions stored them as signed bytes.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "checkpoint/quantized_formats.h"
#include "checkpoint/word_readers.h"

namespace infernode {
namespace {

// Signed 8-bit numbers, one per byte, shifted by the middle of their range.
class SignedQuants final : public QuantReader {
 public:
  SignedQuants(const ModuleTensors& module, const StoredTensor& tensor, MatrixShape shape)
      : folder_(module.folder()), tensor_(tensor), shape_(shape) {}

  void read(std::size_t first, std::size_t count, std::uint8_t* quants) const override {
    const std::size_t total = count * shape_.columns;
    const std::size_t begin = first * shape_.columns;
    folder_.read(tensor_, begin, std::as_writable_bytes(std::span(quants, total)));
    if (shape_.bits == 8) {
      for (std::size_t i = 0; i < total; ++i) quants[i] ^= 128;
      return;
    }
    std::uint8_t outside = 0;
    for (std::size_t i = 0; i < total; ++i) {
      quants[i] = static_cast<std::uint8_t>(quants[i] + 8);
      outside |= quants[i];
    }
    if (outside > 15) {
      throw_corrupt(folder_, tensor_, "has numbers outside of -8 to 7, though num_bits is 4");
    }
  }

 private:
  const CheckpointFolder& folder_;
  const StoredTensor& tensor_;
  MatrixShape shape_;
};

class SignedZeros final : public ZeroReader {
 public:
  SignedZeros(const ModuleTensors& module, const StoredTensor& tensor, MatrixShape shape)
      : folder_(module.folder()), tensor_(tensor), shape_(shape) {}

  void read(std::size_t first, std::size_t count, std::span<const float> /*scales*/,
            std::int16_t* zeros) const override {
    const int middle = shape_.bits == 4 ? 8 : 128;
    std::vector<std::int8_t> stored(count * shape_.groups());
    folder_.read(tensor_, first * shape_.groups(), std::as_writable_bytes(std::span(stored)));
    for (std::size_t i = 0; i < stored.size(); ++i) {
      const int zero = stored[i] + middle;
      if (zero < 0 || zero >= 2 * middle) {
        throw_corrupt(folder_, tensor_,
                      "has a zero point of " + std::to_string(stored[i]) + " in row " +
                          std::to_string(first + i / shape_.groups()) + ", which " +
                          std::to_string(shape_.bits) + " bits do not have");
      }
      zeros[i] = static_cast<std::int16_t>(zero);
    }
  }

 private:
  const CheckpointFolder& folder_;
  const StoredTensor& tensor_;
  MatrixShape shape_;
};

void judge_order(const ModuleTensors& module, const StoredTensor& quants, MatrixShape shape,
                 const QuantConfig& config) {
  const StoredTensor* const index = module.find(".weight_g_idx");
  if (index != nullptr) {
    judge_group_index(module, *index, shape);
  } else if (config.reordered && shape.groups() > 1) {
    throw_corrupt(module.folder(), quants,
                  "lacks " + module.module() + ".weight_g_idx, which " + config.label +
                      " (actorder) demands; download the checkpoint again");
  }
}

const StoredTensor& judged_scales(const ModuleTensors& module, const StoredTensor& quants,
                                  const MatrixShape& shape) {
  const StoredTensor& scales = module.need(".weight_scale", quants);
  module.judge(scales, {TensorDtype::kF16, TensorDtype::kBf16, TensorDtype::kF32},
               {shape.rows, shape.groups()});
  return scales;
}

void judge_stored_shape(const ModuleTensors& module, const MatrixShape& shape) {
  const StoredTensor* const stored = module.find(".weight_shape");
  if (stored == nullptr) return;
  module.judge(*stored, {TensorDtype::kI64, TensorDtype::kI32}, {2});
  if (!module.folder().has_content()) return;
  const std::size_t size = dtype_bytes(stored->dtype);
  std::byte bytes[16];
  module.folder().read(*stored, 0, std::span(bytes, 2 * size));
  std::uint64_t rows = 0, columns = 0;
  std::memcpy(&rows, bytes, size);
  std::memcpy(&columns, bytes + size, size);
  if (rows == shape.rows && columns == shape.columns) return;
  throw_corrupt(module.folder(), *stored,
                "says " + std::to_string(rows) + " x " + std::to_string(columns) +
                    "; the model's config says " + std::to_string(shape.rows) + " x " +
                    std::to_string(shape.columns));
}

std::unique_ptr<ZeroReader> zeros_of(const ModuleTensors& module, const StoredTensor& quants,
                                     const MatrixShape& shape, const QuantConfig& config) {
  const StoredTensor* zeros = module.find(".weight_zero_point");
  const auto middle = static_cast<std::int16_t>(shape.bits == 4 ? 8 : 128);
  if (zeros == nullptr && config.symmetric) return constant_zeros(shape.groups(), middle);
  if (zeros == nullptr) zeros = &module.need(".weight_zero_point", quants);
  if (zeros->dtype == TensorDtype::kI8) {
    module.judge(*zeros, {TensorDtype::kI8}, {shape.rows, shape.groups()});
    return std::make_unique<SignedZeros>(module, *zeros, shape);
  }
  const std::size_t in_word = 32 / static_cast<std::size_t>(shape.bits);
  module.judge(*zeros, {TensorDtype::kI32}, {(shape.rows + in_word - 1) / in_word, shape.groups()});
  return zeros_down({.folder = &module.folder(), .tensor = zeros, .bits = shape.bits},
                    shape.groups());
}

std::unique_ptr<QuantizedMatrix> put_together(const ModuleTensors& module,
                                              const StoredTensor& quants, MatrixShape shape,
                                              const QuantConfig& config,
                                              std::unique_ptr<QuantReader> reader) {
  return format_matrix(
      {.folder = &module.folder(),
       .shape = shape,
       .row_block = rows_for(shape, std::size_t{1} << 20, 64),
       .scales = {.tensor = &judged_scales(module, quants, shape), .rows_first = true},
       .quants = std::move(reader),
       .zeros = zeros_of(module, quants, shape, config)});
}

}  // namespace

std::unique_ptr<QuantizedMatrix> open_packed(const ModuleTensors& module, MatrixShape shape,
                                             const QuantConfig& config) {
  const StoredTensor& quants = *module.find(".weight_packed");
  judge_stored_shape(module, shape);
  const std::size_t in_word = 32 / static_cast<std::size_t>(shape.bits);
  module.judge(quants, {TensorDtype::kI32}, {shape.rows, shape.columns / in_word});
  judge_order(module, quants, shape, config);
  return put_together(
      module, quants, shape, config,
      words_along({.folder = &module.folder(), .tensor = &quants, .bits = shape.bits}, shape));
}

std::unique_ptr<QuantizedMatrix> open_signed_bytes(const ModuleTensors& module, MatrixShape shape,
                                                   const QuantConfig& config) {
  const StoredTensor& quants = *module.find(".weight");
  module.judge(quants, {TensorDtype::kI8}, {shape.rows, shape.columns});
  judge_order(module, quants, shape, config);
  return put_together(module, quants, shape, config,
                      std::make_unique<SignedQuants>(module, quants, shape));
}

}  // namespace infernode
