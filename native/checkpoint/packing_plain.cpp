// Converts plain numbers to plain types and Q8_0, see packing.h. NaN, infinity and numbers outside
// f16's range are refused: nothing is clamped.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "checkpoint/half_numbers.h"
#include "checkpoint/packing.h"
#include "checkpoint/packing_kernels.h"
#include "core/types.h"

namespace infernode {

namespace {

constexpr std::size_t kPiece = 1024;  // numbers converted at a time: a multiple of every block size
constexpr std::size_t kBlock = 32;

// Bytes of one stored number.
std::size_t width_of(TensorDtype dtype) { return dtype == TensorDtype::kF32 ? 4 : 2; }

using Floats = std::array<float, kPiece>;
using Halves = std::array<std::uint16_t, kPiece>;

// `count` numbers as floats.
void widen(const PackingKernels& kernels, const std::byte* from, TensorDtype dtype,
           std::size_t count, Floats& out) {
  if (dtype == TensorDtype::kF32) {
    std::memcpy(out.data(), from, count * sizeof(float));
    return;
  }
  Halves halves;
  std::memcpy(halves.data(), from, count * sizeof(std::uint16_t));
  const auto widened = dtype == TensorDtype::kF16 ? kernels.from_halves : kernels.from_bfloats;
  widened(halves.data(), count, out.data());
}

[[noreturn]] void refuse(const std::string& label, const std::string& what) {
  throw Error(ErrorCode::kModelCorrupt, label + " " + what);
}

[[noreturn]] void refuse_range(const std::string& label, PackedType type) {
  const bool half = type != PackedType::kBf16;
  throw Error(ErrorCode::kModelFormatUnsupported,
              label + " has a weight that is too large for " + std::string(packed_type_name(type)) +
                  "; use quantize " + (half ? R"("bf16" or "f32")" : R"("f32")"));
}

// Checks the number of largest magnitude.
void check_largest(std::uint32_t bits, PackedType type, const std::string& label) {
  const auto largest = std::bit_cast<float>(bits);
  if (!std::isfinite(largest))
    refuse(label, "has a weight that is NaN or infinite; the file is damaged, fetch it again");
  if (type == PackedType::kBf16 && std::isinf(float_of_bfloat(bfloat_of(largest))))
    refuse_range(label, type);
  const float half = type == PackedType::kQ8_0 ? largest / 127 : largest;
  if ((type == PackedType::kF16 || type == PackedType::kQ8_0) && half >= kHalfOverflow)
    refuse_range(label, type);
}

void write(const PackingKernels& kernels, const Floats& numbers, std::size_t count, PackedType type,
           std::byte* out) {
  if (type == PackedType::kF32) {
    std::memcpy(out, numbers.data(), count * sizeof(float));
    return;
  }
  if (type == PackedType::kQ8_0) {
    kernels.q8_0_of_floats(numbers.data(), count / kBlock, reinterpret_cast<std::uint8_t*>(out));
    return;
  }
  Halves halves;
  const auto narrowed = type == PackedType::kF16 ? kernels.to_halves : kernels.to_bfloats;
  narrowed(numbers.data(), count, halves.data());
  std::memcpy(out, halves.data(), count * sizeof(std::uint16_t));
}

void check_plain(std::size_t bytes, TensorDtype from, PackedType type, std::size_t columns,
                 std::size_t out_bytes) {
  INFERNODE_CHECK(
      from == TensorDtype::kF32 || from == TensorDtype::kF16 || from == TensorDtype::kBf16,
      "plain numbers are F32, F16 or BF16");
  INFERNODE_CHECK(packed_block(type) == 1 || type == PackedType::kQ8_0,
                  "plain numbers become F32, F16, BF16 or Q8_0");
  const std::size_t width = width_of(from);
  INFERNODE_CHECK(columns > 0 && bytes % (columns * width) == 0 &&
                      out_bytes == bytes / (columns * width) * packed_row_bytes(type, columns),
                  "packed rows fill their buffer");
}

}  // namespace

void pack_plain_with(const PackingKernels& kernels, std::span<const std::byte> numbers,
                     TensorDtype from, PackedType type, std::size_t columns,
                     std::span<std::byte> out, const std::string& label) {
  check_plain(numbers.size(), from, type, columns, out.size());
  const std::size_t width = width_of(from);
  const std::size_t total = numbers.size() / width;
  const std::size_t block = packed_block(type);
  const std::size_t bytes = packed_row_bytes(type, block);
  Floats piece;
  for (std::size_t done = 0; done < total; done += kPiece) {
    const std::size_t count = std::min(kPiece, total - done);
    widen(kernels, numbers.data() + done * width, from, count, piece);
    check_largest(kernels.largest_bits(piece.data(), count), type, label);
    write(kernels, piece, count, type, out.data() + done / block * bytes);
  }
}

void pack_plain(std::span<const std::byte> numbers, TensorDtype from, PackedType type,
                std::size_t columns, std::span<std::byte> out, const std::string& label) {
  pack_plain_with(best_packing_kernels(), numbers, from, type, columns, out, label);
}

}  // namespace infernode
