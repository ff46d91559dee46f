#include "checkpoint/stored_numbers.h"

#include <cstdint>
#include <cstring>

#include "checkpoint/half_numbers.h"
#include "checkpoint/module_tensors.h"

namespace infernode {
namespace {

template <typename Stored, typename Convert>
void convert_all(const std::byte* from, std::size_t count, float* to, std::size_t to_stride,
                 const Convert& convert) {
  for (std::size_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, from + i * sizeof(stored), sizeof(stored));
    to[i * to_stride] = convert(stored);
  }
}

void convert(const std::byte* from, TensorDtype dtype, std::size_t count, float* to,
             std::size_t to_stride) {
  if (dtype == TensorDtype::kF32) {
    convert_all<float>(from, count, to, to_stride, [](float number) { return number; });
  } else if (dtype == TensorDtype::kF16) {
    convert_all<std::uint16_t>(from, count, to, to_stride, float_of_half);
  } else {
    convert_all<std::uint16_t>(from, count, to, to_stride, float_of_bfloat);
  }
}

}  // namespace

void read_numbers(const CheckpointFolder& folder, const NumberTable& table, std::size_t first,
                  std::size_t count, std::size_t groups, float* numbers) {
  const StoredTensor& tensor = *table.tensor;
  RectangleBytes bytes;
  if (table.rows_first) {
    bytes.read(folder, tensor,
               {.first_row = first, .rows = count, .first_column = 0, .columns = groups});
    for (std::size_t row = 0; row < count; ++row) {
      convert(bytes.row(row), tensor.dtype, groups, numbers + row * groups, 1);
    }
    return;
  }
  bytes.read(folder, tensor,
             {.first_row = 0, .rows = groups, .first_column = first, .columns = count});
  for (std::size_t group = 0; group < groups; ++group) {
    convert(bytes.row(group), tensor.dtype, count, numbers + group, groups);
  }
}

}  // namespace infernode
