// Fits two groups of integer-quantized weights into one Q4_K super-block of 256. Q4_K means d *
// scale * quant - dmin * minimum with integers from 0 to 63, so the quants are unchanged and only
// two ratios, of the steps and of the offsets, are rounded: to fractions from a table, with d and
// dmin by least squares. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace infernode {

// weight = step * quant - offset, of 128 weights that share both.
struct StepAndOffset {
  float step = 0;
  float offset = 0;
};

struct Q4KFit {
  std::uint16_t d = 0;  // f16, as dmin
  std::uint16_t dmin = 0;
  std::array<std::uint8_t, 2> scales = {};    // of the first 128 weights and of the others
  std::array<std::uint8_t, 2> minimums = {};  // the same

  // The error of a half's weights, as a linear function: slope * quant + constant, in units of
  // weights.
  struct Error {
    double slope;
    double constant;
  };
  Error error(std::size_t half, double step, double offset) const;
  // The 16 bytes that precede the quants.
  void write_head(std::span<std::uint8_t, 16> out) const;
};

// Steps and offsets are finite, not negative and at most 65,504.
Q4KFit fit_q4_k(const StepAndOffset& first, const StepAndOffset& second);

}  // namespace infernode
