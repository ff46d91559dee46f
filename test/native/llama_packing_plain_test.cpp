// Packing plain numbers: every kernel writes what ggml's own conversions make of them, and
// what cannot be written is refused by the tensor's name.
#include <bit>
#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "checkpoint/half_numbers.h"
#include "core/types.h"
#include "ggml.h"
#include "packing_fixture.h"

using namespace infernode;

namespace {

using Bytes = std::vector<std::byte>;

constexpr TensorDtype kDtypes[] = {TensorDtype::kF32, TensorDtype::kF16, TensorDtype::kBf16};
constexpr PackedType kTypes[] = {PackedType::kF32, PackedType::kF16, PackedType::kBf16,
                                 PackedType::kQ8_0};

std::string message_of(void (*body)()) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// `count` numbers of a type, out of floats that it holds.
Bytes stored(const std::vector<float>& floats, TensorDtype dtype) {
  Bytes out;
  for (const float number : floats) {
    const std::uint16_t half = dtype == TensorDtype::kF16 ? half_of(number) : bfloat_of(number);
    const auto* from = dtype == TensorDtype::kF32 ? reinterpret_cast<const std::byte*>(&number)
                                                  : reinterpret_cast<const std::byte*>(&half);
    out.insert(out.end(), from, from + (dtype == TensorDtype::kF32 ? 4 : 2));
  }
  return out;
}

std::vector<float> random_floats(std::size_t count, float size) {
  std::mt19937 random(static_cast<std::uint32_t>(count));
  std::normal_distribution<float> normal(0, size);
  std::vector<float> out(count);
  for (float& number : out) number = normal(random);
  if (count > 2) out[0] = 0, out[1] = -0.0f;
  return out;
}

std::size_t width_of(TensorDtype dtype) { return dtype == TensorDtype::kF32 ? 4 : 2; }

// Packed by all kernels, which must agree.
Bytes plain(const Bytes& numbers, TensorDtype from, PackedType type, std::size_t columns) {
  const std::size_t rows = numbers.size() / width_of(from) / columns;
  Bytes out(rows * packed_row_bytes(type, columns));
  pack_plain(numbers, from, type, columns, out, "model.safetensors: x.weight");
  for (const PackingKernels* kernels : packing_kernels()) {
    Bytes other(out.size(), std::byte{0xaa});
    pack_plain_with(*kernels, numbers, from, type, columns, other, "x.weight");
    if (other != out) check::fail(__FILE__, __LINE__, std::string(kernels->name) + " differs");
  }
  return out;
}

// The same by ggml: to float, then quantized as its reference does.
Bytes by_ggml(const Bytes& numbers, TensorDtype from, PackedType type, std::size_t columns) {
  const std::size_t count = numbers.size() / width_of(from);
  const auto traits = [](TensorDtype dtype) {
    return ggml_get_type_traits(dtype == TensorDtype::kF16 ? GGML_TYPE_F16 : GGML_TYPE_BF16);
  };
  std::vector<float> floats(count);
  if (from == TensorDtype::kF32)
    std::memcpy(floats.data(), numbers.data(), numbers.size());
  else
    traits(from)->to_float(numbers.data(), floats.data(), static_cast<std::int64_t>(count));
  Bytes out(count / columns * packed_row_bytes(type, columns));
  if (type == PackedType::kF32)
    std::memcpy(out.data(), floats.data(), out.size());
  else
    ggml_get_type_traits(static_cast<ggml_type>(ggml_type_number(type)))
        ->from_float_ref(floats.data(), out.data(), static_cast<std::int64_t>(count));
  return out;
}

}  // namespace

TEST("plain numbers become what ggml's own conversion makes of them") {
  for (const TensorDtype from : kDtypes) {
    for (const PackedType type : kTypes) {
      for (const float size : {1.0f, 1e-3f, 1e-6f, 1e-9f, 300.0f}) {
        for (const std::size_t count : {1,  2,   7,   8,   15,   16,   31,   32,   33,   64,
                                        96, 255, 256, 257, 1023, 1024, 1025, 1056, 1000, 4096}) {
          if (count % packed_block(type) != 0) continue;
          const Bytes numbers = stored(random_floats(count, size), from);
          CHECK(plain(numbers, from, type, count) == by_ggml(numbers, from, type, count));
        }
      }
    }
  }
}

TEST("ties of Q8_0 are rounded away from zero, and nothing else is") {
  std::vector<float> numbers(32);
  numbers[0] = 127;
  for (int i = 1; i < 32; ++i) numbers[i] = static_cast<float>(i - 16) + 0.5f;
  numbers[1] = std::bit_cast<float>(0x3effffffu);  // the float below 0.5
  const Bytes from = stored(numbers, TensorDtype::kF32);
  CHECK(plain(from, TensorDtype::kF32, PackedType::kQ8_0, 32) ==
        by_ggml(from, TensorDtype::kF32, PackedType::kQ8_0, 32));
}

TEST("NaN and infinity are refused at every index, with the tensor's name") {
  for (const TensorDtype from : kDtypes) {
    for (const PackedType type : kTypes) {
      for (const std::size_t place : {0, 1, 31, 63, 64, 255, 256, 287}) {
        for (const float bad :
             {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
              std::numeric_limits<float>::quiet_NaN()}) {
          std::vector<float> floats(288, 0.5f);
          floats[place] = bad;
          Bytes numbers = stored(floats, from);
          if (std::isnan(bad) && from == TensorDtype::kF16)
            numbers[2 * place] = std::byte{1}, numbers[2 * place + 1] = std::byte{0x7c};
          CHECK_THROWS(Error, plain(numbers, from, type, 288));
        }
      }
    }
  }
  const std::string message = message_of([] {
    plain(stored({std::numeric_limits<float>::infinity()}, TensorDtype::kF32), TensorDtype::kF32,
          PackedType::kF32, 1);
  });
  CHECK(message.find("model.safetensors: x.weight has a weight that is NaN") == 0);
}

TEST("what f16 cannot hold is refused, and its largest number is not") {
  for (const TensorDtype from : {TensorDtype::kF32, TensorDtype::kBf16}) {
    CHECK_THROWS(Error,
                 plain(stored(std::vector<float>(40, 65536.0f), from), from, PackedType::kF16, 40));
    plain(stored(std::vector<float>(40, 65280.0f), from), from, PackedType::kF16, 40);
    CHECK_THROWS(Error,
                 plain(stored(std::vector<float>(32, 1e7f), from), from, PackedType::kQ8_0, 32));
  }
  CHECK_THROWS(Error,
               plain(stored({3.4e38f}, TensorDtype::kF32), TensorDtype::kF32, PackedType::kF16, 1));
}
