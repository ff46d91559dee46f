// Rows of an integer-quantized weight matrix, between the checkpoint formats, which fill them, and
// the packers, which convert them to ggml blocks: weight = scale * (quant - zero). A row is one
// output; groups run along the inputs. A value of one thread: each worker fills its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace infernode {

struct GroupedRows {
  std::size_t rows = 0;
  std::size_t columns = 0;           // a multiple of `group`
  std::size_t group = 0;             // a multiple of 32
  std::vector<std::uint8_t> quants;  // [rows][columns]: 0..15, or 0..255 for 8 bits
  // [rows][columns / group]; finite; negative only if the zero point is the middle
  std::vector<float> scales;
  std::vector<std::int16_t>
      zeros;  // [rows][columns / group]: 0..16, or 0..256 for 8 bits; the middle is 8 or 128

  std::size_t groups() const { return columns / group; }
  // Keeps the capacity, so that a worker's rows are allocated once.
  void resize(std::size_t row_count, std::size_t column_count, std::size_t group_size) {
    resize_groups(row_count, column_count, group_size);
    quants.resize(rows * columns);
  }
  // Resizes scales and zeros only; the quants are unchanged.
  void resize_groups(std::size_t row_count, std::size_t column_count, std::size_t group_size) {
    rows = row_count;
    columns = column_count;
    group = group_size;
    scales.resize(rows * groups());
    zeros.resize(rows * groups());
  }
};

}  // namespace infernode
