#include "checkpoint/tensor_rows.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "checkpoint/module_tensors.h"
#include "core/sampling/worker_pool.h"
#include "core/types.h"

namespace infernode {

namespace {

// unpacked, they fit into the L2 cache
constexpr std::uint64_t kBlockWeights = std::uint64_t{1} << 18;

// Limit on what all workers hold together, so that memory does not grow with the number of cores.
constexpr std::uint64_t kScratchBytes = std::uint64_t{192} << 20;

std::uint64_t round_up(std::uint64_t number, std::uint64_t step) {
  return (number + step - 1) / step * step;
}

// Rows packed together: whole heads, and the format's fastest multiple.
std::uint64_t block_rows(const PlannedTensor& tensor) {
  std::uint64_t step = std::max<std::uint64_t>(1, tensor.head_rows);
  if (tensor.quantized != nullptr) {
    step = std::lcm(step, std::max<std::uint64_t>(1, tensor.quantized->row_block()));
  }
  return round_up(std::max<std::uint64_t>(1, kBlockWeights / tensor.columns), step);
}

// Approximate memory of one worker: quants as stored and as bytes, or a plain block as stored; and
// the packed block.
std::uint64_t scratch_bytes(const PlannedTensor& tensor, PackedType type, std::uint64_t rows) {
  const std::uint64_t weights = rows * tensor.columns;
  const std::uint64_t read = tensor.quantized != nullptr ? weights + weights / 2 : weights * 4;
  return read + rows * packed_row_bytes(type, static_cast<std::size_t>(tensor.columns));
}

// The index of a checkpoint row in the GGUF file: the halves of a head are interleaved.
std::uint64_t packed_row(const PlannedTensor& tensor, std::uint64_t row) {
  if (tensor.head_rows == 0) return row;
  const std::uint64_t within = row % tensor.head_rows;
  const std::uint64_t half = tensor.head_rows / 2;
  return row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
}

void add_one(std::span<std::byte> floats) {
  for (std::size_t at = 0; at < floats.size(); at += sizeof(float)) {
    float number = 0;
    std::memcpy(&number, floats.data() + at, sizeof number);
    number += 1;
    std::memcpy(floats.data() + at, &number, sizeof number);
  }
}

}  // namespace

void TensorRows::pack_stored(const PlannedTensor& tensor, PackedType type, Block block,
                             std::span<std::byte> out, Scratch& scratch) const {
  const StoredTensor& stored = *tensor.plain;
  const std::uint64_t row_bytes = tensor.columns * dtype_bytes(stored.dtype);
  scratch.stored.resize(static_cast<std::size_t>(block.count * row_bytes));
  folder_.read(stored, block.first * row_bytes, scratch.stored);
  const std::string label = tensor_label(folder_, stored);
  pack_plain(scratch.stored, stored.dtype, type, static_cast<std::size_t>(tensor.columns), out,
             label);
  if (tensor.plus_one) add_one(out);
}

// Writes into `direct` if it has room for the whole block, else into the scratch buffer.
std::span<const std::byte> TensorRows::pack(const PlannedTensor& tensor, PackedType type,
                                            Block block, std::span<std::byte> direct,
                                            Scratch& scratch) const {
  const auto columns = static_cast<std::size_t>(tensor.columns);
  const auto bytes = static_cast<std::size_t>(block.count) * packed_row_bytes(type, columns);
  std::span<std::byte> out = direct;
  if (out.empty()) {
    scratch.packed.resize(bytes);
    out = scratch.packed;
  }
  if (tensor.quantized != nullptr) {
    tensor.quantized->read(static_cast<std::size_t>(block.first),
                           static_cast<std::size_t>(block.count), scratch.rows);
    pack_rows(scratch.rows, type, out, &scratch.error);
  } else if (tensor.plain != nullptr) {
    pack_stored(tensor, type, block, out, scratch);
  } else {
    std::memcpy(out.data(), tensor.numbers.data(), bytes);
  }
  return out;
}

void TensorRows::read_block(const PlannedTensor& tensor, PackedType type, Block block,
                            Wanted wanted, Scratch& scratch) const {
  const std::uint64_t row_bytes = packed_row_bytes(type, static_cast<std::size_t>(tensor.columns));
  const std::uint64_t end = wanted.begin + wanted.out.size();
  const std::uint64_t block_begin = block.first * row_bytes;
  const bool whole = tensor.head_rows == 0 && block_begin >= wanted.begin &&
                     block_begin + block.count * row_bytes <= end;
  std::span<std::byte> direct;
  if (whole) {
    direct = wanted.out.subspan(static_cast<std::size_t>(block_begin - wanted.begin),
                                static_cast<std::size_t>(block.count * row_bytes));
  }
  const std::span<const std::byte> packed = pack(tensor, type, block, direct, scratch);
  for (std::uint64_t row = 0; row < block.count && !whole; ++row) {
    const std::uint64_t at = packed_row(tensor, block.first + row) * row_bytes;
    const std::uint64_t from = std::max(at, wanted.begin);
    const std::uint64_t to = std::min(at + row_bytes, end);
    if (from >= to) continue;
    std::memcpy(wanted.out.data() + (from - wanted.begin),
                packed.data() + row * row_bytes + (from - at), to - from);
  }
}

void TensorRows::read(const PlannedTensor& tensor, PackedType type, std::uint64_t begin,
                      std::span<std::byte> out, PackingError& error) {
  if (out.empty()) return;
  const std::uint64_t row_bytes = packed_row_bytes(type, static_cast<std::size_t>(tensor.columns));
  const std::uint64_t rows = block_rows(tensor);
  const std::uint64_t first = begin / row_bytes / rows;
  const std::uint64_t last = (begin + out.size() - 1) / row_bytes / rows;
  const auto count = static_cast<std::size_t>(last - first + 1);
  const std::uint64_t fit = std::max<std::uint64_t>(
      1, kScratchBytes / scratch_bytes(tensor, type, std::min(rows, tensor.rows)));
  const auto workers = std::min({std::uint64_t{count}, static_cast<std::uint64_t>(threads_), fit});
  const int helpers = static_cast<int>(workers) - 1;
  scratch_.resize(std::max<std::size_t>(scratch_.size(), helpers + 1));
  for (Scratch& scratch : scratch_) scratch.error = {};
  WorkerPool pool(helpers);
  pool.run(count, [&](std::size_t index, std::size_t worker) {
    const std::uint64_t row = (first + index) * rows;
    const Block block{row, std::min(rows, tensor.rows - row)};
    read_block(tensor, type, block, {begin, out}, scratch_[worker]);
  });
  for (const Scratch& scratch : scratch_) error.merge(scratch.error);
}

}  // namespace infernode
