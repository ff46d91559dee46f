// Readers of quants and zero points that several formats share: 32-bit words of eight 4-bit
// numbers, or of four 8-bit ones, along the inputs or across the rows. Memory: one tile of at most
// kTileRows stored rows. Immutable; any thread.
#pragma once

#include <cstddef>
#include <memory>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/format_matrix.h"
#include "checkpoint/nibble_kernels.h"

namespace infernode {

struct WordTensor {
  const CheckpointFolder* folder = nullptr;
  const StoredTensor* tensor = nullptr;  // I32, two-dimensional
  int bits = 4;
};

// Stored [rows][columns * bits / 32], natural order.
std::unique_ptr<QuantReader> words_along(WordTensor words, MatrixShape shape);
// Stored [columns * bits / 32][rows], natural order (GPTQ).
std::unique_ptr<QuantReader> words_along_transposed(WordTensor words, MatrixShape shape);
// Stored [columns][rows / 8], 4 bits (AutoAWQ gemm).
std::unique_ptr<QuantReader> words_across(WordTensor words, MatrixShape shape, NibbleOrder order);

// Zero points are the stored value plus `added`.
// Stored [rows][>= groups / 8], 4 bits (AutoAWQ gemv).
std::unique_ptr<ZeroReader> zeros_along(WordTensor words, std::size_t groups, std::int16_t added);
// Stored [groups][rows * bits / 32] (AutoAWQ gemm, GPTQ).
std::unique_ptr<ZeroReader> zeros_across(WordTensor words, std::size_t groups, NibbleOrder order,
                                         std::int16_t added);
// Stored [rows * bits / 32, rounded up][groups] (compressed-tensors).
std::unique_ptr<ZeroReader> zeros_down(WordTensor words, std::size_t groups);

}  // namespace infernode
