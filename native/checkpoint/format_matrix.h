// A quantized matrix composed of three readers: quants, scales and zero points. A checkpoint format
// selects the readers, in a file of its own that validates the tensors first. Readers are called
// for multiples of eight rows; FormatMatrix::read() accepts any. Immutable; any thread may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/quantized_matrix.h"
#include "checkpoint/stored_numbers.h"

namespace infernode {

struct MatrixShape {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t group = 0;
  int bits = 4;

  std::size_t groups() const { return columns / group; }
};

// In both readers `first` is a multiple of 8, and so is `count` unless the rows end there.
class QuantReader {
 public:
  virtual ~QuantReader() = default;
  // Fills [count][columns].
  virtual void read(std::size_t first, std::size_t count, std::uint8_t* quants) const = 0;
};

class ZeroReader {
 public:
  virtual ~ZeroReader() = default;
  // Fills [count][groups]; `scales` are these rows' own.
  virtual void read(std::size_t first, std::size_t count, std::span<const float> scales,
                    std::int16_t* zeros) const = 0;
};

// Every zero point is the middle: symmetric formats.
std::unique_ptr<ZeroReader> constant_zeros(std::size_t groups, std::int16_t zero);

struct FormatParts {
  const CheckpointFolder* folder = nullptr;
  MatrixShape shape;
  std::size_t row_block = 0;
  NumberTable scales;
  std::unique_ptr<QuantReader> quants;
  std::unique_ptr<ZeroReader> zeros;
};

std::unique_ptr<QuantizedMatrix> format_matrix(FormatParts parts);

// Words of eight zero points per row, padded as AutoAWQ's gemv kernels require.
std::size_t padded_zero_words(const MatrixShape& shape);

// The rows of a block of about `weights` weights and at least `least` rows: a multiple of eight, at
// most all rows.
std::size_t rows_for(const MatrixShape& shape, std::size_t weights, std::size_t least);

}  // namespace infernode
