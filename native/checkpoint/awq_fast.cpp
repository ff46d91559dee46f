// AutoAWQ's gemv_fast, and llm-awq, which calls the zero points "scaled_zeros": 16-bit words [out /
// 4][in] in which 64 inputs of four rows are adjacent, 32 bytes per row, shuffled in the order the
// kernel reads them. Scales [groups, padded][out]; zero points are stored as -(scale * zero)
// rounded to the scales' type, from which the integer is recovered.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "checkpoint/nibble_kernels.h"
#include "checkpoint/quantized_formats.h"

namespace infernode {
namespace {

constexpr std::size_t kTogether = 4;  // rows
constexpr std::size_t kStride = 64;   // inputs
constexpr std::size_t kTileBytes = std::size_t{1} << 18;
// Rounding to f16 moves 15 by 0.0073, to bf16 by 0.059.
constexpr float kHalfTolerance = 0.01f;
constexpr float kBfloatTolerance = 0.06f;

class ShuffledQuants final : public QuantReader {
 public:
  ShuffledQuants(const CheckpointFolder& folder, const StoredTensor& tensor, MatrixShape shape)
      : folder_(folder), tensor_(tensor), shape_(shape) {}

  void read(std::size_t first, std::size_t count, std::uint8_t* quants) const override {
    const std::size_t four_bytes = 2 * shape_.columns;  // bytes of four rows
    const std::size_t at_once = std::max<std::size_t>(kTileBytes / four_bytes, 1);
    std::vector<std::byte> bytes;
    for (std::size_t done = 0; done < count / kTogether; done += at_once) {
      const std::size_t some = std::min(at_once, count / kTogether - done);
      bytes.resize(some * four_bytes);
      folder_.read(tensor_, (first / kTogether + done) * four_bytes, bytes);
      for (std::size_t four = 0; four < some; ++four) {
        unpack(bytes.data() + four * four_bytes,
               quants + (done + four) * kTogether * shape_.columns);
      }
    }
  }

 private:
  void unpack(const std::byte* bytes, std::uint8_t* quants) const {
    for (std::size_t row = 0; row < kTogether; ++row) {
      best_nibble_kernels().shuffled(
          reinterpret_cast<const std::uint8_t*>(bytes) + row * kStride / 2,
          shape_.columns / kStride, kTogether * kStride / 2, quants + row * shape_.columns);
    }
  }

  const CheckpointFolder& folder_;
  const StoredTensor& tensor_;
  MatrixShape shape_;
};

class ScaledZeros final : public ZeroReader {
 public:
  ScaledZeros(const CheckpointFolder& folder, const StoredTensor& tensor, std::size_t groups)
      : folder_(folder), tensor_(tensor), groups_(groups) {}

  void read(std::size_t first, std::size_t count, std::span<const float> scales,
            std::int16_t* zeros) const override {
    std::vector<float> scaled(count * groups_);
    read_numbers(folder_, {.tensor = &tensor_, .rows_first = false}, first, count, groups_,
                 scaled.data());
    for (std::size_t i = 0; i < scaled.size(); ++i) {
      zeros[i] = zero_of(scaled[i], scales[i], first + i / groups_);
    }
  }

 private:
  std::int16_t zero_of(float scaled, float scale, std::size_t row) const {
    const float tolerance = tensor_.dtype == TensorDtype::kBf16 ? kBfloatTolerance : kHalfTolerance;
    const float zero = scale != 0.0f ? -scaled / scale : -scaled;
    const float whole = std::nearbyint(zero);
    // False for NaN as well.
    if (!(whole >= 0.0f && whole <= 15.0f && std::abs(zero - whole) <= tolerance)) {
      throw_corrupt(folder_, tensor_,
                    "has a zero point of row " + std::to_string(row) + " that is " +
                        std::to_string(zero) + " scales, expected an integer from 0 to 15");
    }
    return static_cast<std::int16_t>(whole);
  }

  const CheckpointFolder& folder_;
  const StoredTensor& tensor_;
  std::size_t groups_;
};

}  // namespace

std::unique_ptr<QuantizedMatrix> open_awq_fast(const ModuleTensors& module, MatrixShape shape,
                                               const QuantConfig& /*config*/) {
  const CheckpointFolder& folder = module.folder();
  const StoredTensor& quants = *module.find(".qweight");
  module.judge(quants, {TensorDtype::kI16}, {shape.rows / kTogether, shape.columns});
  if (shape.columns % kStride != 0) {
    throw_corrupt(
        folder, quants,
        "has rows of " + std::to_string(shape.columns) + " inputs; the format has multiples of 64");
  }
  const StoredTensor& scales = module.need(".scales", quants);
  const std::vector<std::uint64_t> expected = {8 * padded_zero_words(shape), shape.rows};
  module.judge(scales, {TensorDtype::kF16, TensorDtype::kBf16}, expected);
  const StoredTensor* zeros = module.find(".scaled_zeros");
  if (zeros == nullptr) zeros = &module.need(".qzeros", quants);
  module.judge(*zeros, {scales.dtype}, expected);
  return format_matrix({.folder = &folder,
                        .shape = shape,
                        .row_block = rows_for(shape, std::size_t{1} << 20, 64),
                        .scales = {.tensor = &scales, .rows_first = false},
                        .quants = std::make_unique<ShuffledQuants>(folder, quants, shape),
                        .zeros = std::make_unique<ScaledZeros>(folder, *zeros, shape.groups())});
}

// Its first versions packed as gemv does.
std::unique_ptr<QuantizedMatrix> open_llm_awq(const ModuleTensors& module, MatrixShape shape,
                                              const QuantConfig& config) {
  return module.find(".qweight")->dtype == TensorDtype::kI32 ? open_awq_gemv(module, shape, config)
                                                             : open_awq_fast(module, shape, config);
}

}  // namespace infernode
