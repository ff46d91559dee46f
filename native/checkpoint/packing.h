// Converts grouped rows and plain numbers to ggml blocks. Each type has a scalar reference and a
// vectorised routine with results equal to the bit. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/grouped_rows.h"

namespace infernode {

// A matrix's type in the GGUF file.
enum class PackedType { kF32, kF16, kBf16, kQ4_0, kQ4_1, kQ5_0, kQ8_0, kQ4_K };

std::string_view packed_type_name(PackedType type);  // "q4_1"
std::uint32_t ggml_type_number(PackedType type);
// Bytes of one row; `columns` must be a multiple of packed_block(type).
std::size_t packed_row_bytes(PackedType type, std::size_t columns);
std::size_t packed_block(PackedType type);  // 1, 32 or 256 numbers

// Error of packed weights relative to the checkpoint's, in quantization steps (the scale of a
// weight's group). Accumulated over rows; merge() combines two.
struct PackingError {
  double worst = 0;
  double squares = 0;
  std::uint64_t weights = 0;

  double rms() const;
  void merge(const PackingError& other);
};

// Packs all rows of `rows` into `out`, packed_row_bytes() each, and adds to `error` if it is given.
// Exact if f16 can represent the scale: Q8_0 and Q5_0 for 4 bits, Q4_0 if every zero is 8, F32;
// Q8_0 for 8 bits if every zero is 128. F16 for 8 bits is off by 1/8 step at most.
void pack_rows(const GroupedRows& rows, PackedType type, std::span<std::byte> out,
               PackingError* error);

// Converts plain numbers of dtype F32, F16 or BF16 to kF32, kF16, kBf16 or kQ8_0 (rounded as ggml's
// reference does). Throws Error(kModelCorrupt) for NaN and infinity; `label` names the tensor.
void pack_plain(std::span<const std::byte> numbers, TensorDtype from, PackedType type,
                std::size_t columns, std::span<std::byte> out, const std::string& label);

}  // namespace infernode
