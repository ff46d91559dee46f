// Packs the rows of planned tensors in blocks, in parallel: this is how a CheckpointFile is read.
// Memory is a few blocks per worker, whatever the tensors' sizes. One thread at a time.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/packing.h"
#include "checkpoint/tensor_plan.h"

namespace infernode {

class TensorRows {
 public:
  TensorRows(const CheckpointFolder& folder, int threads) : folder_(folder), threads_(threads) {}

  // Fills `out` with bytes of the packed tensor from `begin` on, and adds to `error` for rows of
  // quantized weights. Throws Error that names file and tensor.
  void read(const PlannedTensor& tensor, PackedType type, std::uint64_t begin,
            std::span<std::byte> out, PackingError& error);

 private:
  // One worker's buffers, reused from block to block.
  struct Scratch {
    GroupedRows rows;
    std::vector<std::byte> stored;
    std::vector<std::byte> packed;
    PackingError error;
  };
  struct Block {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
  };
  struct Wanted {
    std::uint64_t begin;  // in the packed tensor
    std::span<std::byte> out;
  };

  std::span<const std::byte> pack(const PlannedTensor& tensor, PackedType type, Block block,
                                  std::span<std::byte> direct, Scratch& scratch) const;
  void pack_stored(const PlannedTensor& tensor, PackedType type, Block block,
                   std::span<std::byte> out, Scratch& scratch) const;
  void read_block(const PlannedTensor& tensor, PackedType type, Block block, Wanted wanted,
                  Scratch& scratch) const;

  const CheckpointFolder& folder_;
  int threads_;
  std::vector<Scratch> scratch_;
};

}  // namespace infernode
