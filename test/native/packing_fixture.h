// Grouped rows of random quants, for the tests of packing.
#pragma once

#include <cmath>
#include <random>
#include <vector>

#include "checkpoint/grouped_rows.h"
#include "checkpoint/half_numbers.h"
#include "checkpoint/packing.h"
#include "checkpoint/packing_kernels.h"

namespace infernode {

// Those that this CPU has.
inline std::vector<const PackingKernels*> packing_kernels() {
  std::vector<const PackingKernels*> kernels = {&generic_packing_kernels()};
  if (avx2_packing_kernels() != nullptr) kernels.push_back(avx2_packing_kernels());
  return kernels;
}

// How scales and zero points are drawn.
struct GroupKinds {
  bool symmetric = false;   // zero points are the middle
  bool half_scales = true;  // f16 holds the scales
  int bits = 4;
  int largest_zero = 15;         // 16 of GPTQ
  float scale = 0.01f;           // median
  float spread = 0.3f;           // of its logarithm
  bool negative_scales = false;  // of half of the symmetric ones, as auto-round makes them
  double zero_scales = 0;        // share of groups whose scale is 0
};

inline GroupedRows random_rows(std::size_t rows, std::size_t columns, std::size_t group,
                               std::uint64_t seed, const GroupKinds& kinds = {}) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<double> share(0, 1);
  GroupedRows out;
  out.resize(rows, columns, group);
  const std::uint64_t quants = kinds.bits == 8 ? 256 : 16;
  for (auto& quant : out.quants) quant = static_cast<std::uint8_t>(random() % quants);
  for (std::size_t i = 0; i < out.scales.size(); ++i) {
    const float scale = kinds.scale * std::exp(kinds.spread * normal(random));
    out.scales[i] = kinds.half_scales ? float_of_half(half_of(scale)) : scale;
    if (kinds.symmetric && kinds.negative_scales && random() % 2 == 0)
      out.scales[i] = -out.scales[i];
    if (share(random) < kinds.zero_scales) out.scales[i] = 0;
    const auto zero = static_cast<std::int16_t>(random() % (kinds.largest_zero + 1));
    out.zeros[i] = kinds.bits == 8 ? 128 : kinds.symmetric ? 8 : zero;
  }
  return out;
}

}  // namespace infernode
