// One linear layer's quantized weight as a checkpoint format stores it. Each format (AutoAWQ
// gemm, gemv, gemv_fast; GPTQ; compressed-tensors) is one file that implements this, chosen
// by Quantization::open(). Immutable; any thread may read.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "checkpoint/grouped_rows.h"

namespace infernode {

class QuantizedMatrix {
 public:
  virtual ~QuantizedMatrix() = default;

  virtual std::size_t rows() const = 0;     // outputs
  virtual std::size_t columns() const = 0;  // inputs
  virtual std::size_t group() const = 0;  // inputs that share a scale; columns() for group size -1
  virtual int bits() const = 0;           // 4 or 8
  // Reading is fastest in blocks that begin at multiples of this.
  virtual std::size_t row_block() const = 0;

  // Fills `out` with rows [first, first + count). Throws CheckpointFolder::read()'s errors,
  // and Error(kModelCorrupt) that names file and tensor for a scale that is NaN or infinite, a
  // negative one whose zero point is not the middle (auto-round's symmetric exports have
  // negative ones), and for a zero point out of range.
  virtual void read(std::size_t first, std::size_t count, GroupedRows& out) const = 0;
  // The same without the quants, which are left unchanged: used to examine every matrix before its
  // type is chosen (packing_choice.h).
  virtual void read_groups(std::size_t first, std::size_t count, GroupedRows& out) const = 0;
};

}  // namespace infernode
