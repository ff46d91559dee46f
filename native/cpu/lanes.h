// Sixteen lanes of 32 bits, one per weight row of a panel, on each instruction set: one AVX-512
// register or two AVX2 registers. The panel kernels are written in these terms.
//
// Register: one register, of kRegisterBytes bytes.
// Ints, Floats: sixteen lanes.
#pragma once

#include "measured_sets.h"

#if INFERNODE_PANELS == 512
#include "lanes_512.h"
#elif INFERNODE_PANELS == 256
#include "lanes_256.h"
#endif

#ifdef INFERNODE_PANELS
#include <cstring>

namespace infernode_panels {

inline __m256i load_bytes(const void* values) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(values));
}

// The low and the high nibbles of bytes.
inline Register low_nibbles(Register pairs) { return both_of(pairs, all_bytes(0x0f)); }
inline Register high_nibbles(Register pairs) { return low_nibbles(words_right<4>(pairs)); }

// An 8 x 8 transposition of groups of four bytes, in each 256 bits of the registers.
inline void transpose(Register (&rows)[8]) {
  Register pairs[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = unpack_low_32(rows[i], rows[i + 1]);
    pairs[i + 1] = unpack_high_32(rows[i], rows[i + 1]);
  }
  Register fours[8];  // [i]: for rows 0 to 3; [i + 4]: for rows 4 to 7
#pragma GCC unroll 2
  for (int half = 0; half < 8; half += 4) {
    fours[half] = unpack_low_64(pairs[half], pairs[half + 2]);
    fours[half + 1] = unpack_high_64(pairs[half], pairs[half + 2]);
    fours[half + 2] = unpack_low_64(pairs[half + 1], pairs[half + 3]);
    fours[half + 3] = unpack_high_64(pairs[half + 1], pairs[half + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    rows[i] = lower_halves(fours[i], fours[i + 4]);
    rows[i + 4] = upper_halves(fours[i], fours[i + 4]);
  }
}

// The sums of the eight lanes in each 256 bits of eight registers, low 256 bits first.
inline Register sums_of_lanes(const Register (&all)[8]) {
  Register pairs[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    pairs[i] =
        add(unpack_low_32(all[2 * i], all[2 * i + 1]), unpack_high_32(all[2 * i], all[2 * i + 1]));
  const Register first = add(unpack_low_64(pairs[0], pairs[1]), unpack_high_64(pairs[0], pairs[1]));
  const Register second =
      add(unpack_low_64(pairs[2], pairs[3]), unpack_high_64(pairs[2], pairs[3]));
  return add(lower_halves(first, second), upper_halves(first, second));
}

// The sums of the four lanes in each 128 bits of four registers, register by register.
inline Register sums_of_small_lanes(const Register (&all)[4]) {
  const Register first = add(unpack_low_32(all[0], all[1]), unpack_high_32(all[0], all[1]));
  const Register second = add(unpack_low_32(all[2], all[3]), unpack_high_32(all[2], all[3]));
  return register_by_register(add(unpack_low_64(first, second), unpack_high_64(first, second)));
}

}  // namespace infernode_panels
#endif
