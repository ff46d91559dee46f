// See q4_k_fit.h. Errors are counted in a half's own steps and taken as the mean over quants
// that are as likely from 0 to 15: d and dmin serve both halves alike, however their steps
// differ.
#include "checkpoint/q4_k_fit.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "checkpoint/half_numbers.h"

namespace infernode {

namespace {

constexpr int kMost = 63;                 // of a scale or minimum: six bits
constexpr std::size_t kFractions = 1229;  // from 0/1 to 1/1 with denominators up to kMost
constexpr std::size_t kBuckets = 1024;
constexpr std::size_t kNeighbours = 2;  // fractions looked at on each side of the ratio
constexpr std::size_t kKept = 4;        // pairs of scales for which minimums are sought
// Mean square of both halves together: half of it is 0.0045 steps, a sixtieth of rounding to 4
// bits.
constexpr float kGoodEnough = 4e-5f;
constexpr float kMeanQuant = 7.5f, kMeanSquare = 77.5f;  // of 0 to 15 alike

struct Fraction {
  std::uint8_t above;
  std::uint8_t below;
};

// The fractions in order, and the first of each bucket of [0, 1].
struct FractionTable {
  std::array<Fraction, kFractions> fractions = {};
  std::array<std::uint16_t, kBuckets + 1> first = {};
};

// Each term of a Farey sequence follows from the two before it.
constexpr FractionTable make_table() {
  FractionTable table;
  Fraction now = {0, 1};
  Fraction next = {1, kMost};
  std::size_t bucket = 0;
  for (std::size_t i = 0; i < kFractions; ++i) {
    for (; bucket <= kBuckets && now.above * kBuckets >= bucket * now.below; ++bucket)
      table.first[bucket] = static_cast<std::uint16_t>(i);
    table.fractions[i] = now;
    const int factor = (kMost + now.below) / next.below;
    const Fraction after = {static_cast<std::uint8_t>(factor * next.above - now.above),
                            static_cast<std::uint8_t>(factor * next.below - now.below)};
    now = next;
    next = after;
  }
  return table;
}

constexpr FractionTable kTable = make_table();
static_assert(kTable.fractions.back().above == 1 && kTable.fractions.back().below == 1);

// Two whole numbers times a common f16 for two wanted numbers, all in the halves' steps.
struct Pair {
  std::array<std::uint8_t, 2> whole = {};
  float unit = 0;                        // as f16 holds it
  std::array<float, 2> difference = {};  // of what is written from what is wanted, in steps
  float cost = std::numeric_limits<float>::infinity();
};

// Numbers that should be approximated, and what one of them is in steps.
struct Wanted {
  std::array<float, 2> number;
  std::array<float, 2> per_step;
};

Pair pair_of(const Wanted& wanted, std::uint8_t first, std::uint8_t second) {
  Pair pair;
  pair.whole = {first, second};
  const float x = static_cast<float>(first) * wanted.per_step[0];
  const float y = static_cast<float>(second) * wanted.per_step[1];
  const float wanted_x = wanted.number[0] * wanted.per_step[0];
  const float wanted_y = wanted.number[1] * wanted.per_step[1];
  const float square = x * x + y * y;
  const float unit = square == 0 ? 0 : (x * wanted_x + y * wanted_y) / square;
  pair.unit = float_of_half(half_of(std::min(unit, kLargestHalf)));
  pair.difference = {pair.unit * x - wanted_x, pair.unit * y - wanted_y};
  pair.cost = pair.difference[0] * pair.difference[0] + pair.difference[1] * pair.difference[1];
  return pair;
}

// Calls `look` with pairs of small whole numbers whose ratio is close to the wanted one.
template <typename Look>
void close_pairs(const Wanted& wanted, Look look) {
  const bool swapped = wanted.number[0] > wanted.number[1];
  const float smaller = wanted.number[swapped ? 1 : 0];
  const float larger = wanted.number[swapped ? 0 : 1];
  if (larger == 0) return look(pair_of(wanted, 0, 0));
  const float ratio = smaller / larger;
  std::size_t at = kTable.first[static_cast<std::size_t>(ratio * kBuckets)];
  while (at < kFractions && static_cast<float>(kTable.fractions[at].above) <
                                ratio * static_cast<float>(kTable.fractions[at].below))
    ++at;
  const std::size_t begin = at > kNeighbours ? at - kNeighbours : 0;
  // Nothing but 0 stands for 0: what the other half gains by 1/63 is no gain.
  const std::size_t end = smaller == 0 ? 1 : std::min(at + kNeighbours, kFractions);
  for (std::size_t i = begin; i < end; ++i) {
    const auto [above, below] = kTable.fractions[i];
    // Multiples round the common f16 differently.
    for (int factor = 1; factor * below <= kMost; ++factor) {
      const auto low = static_cast<std::uint8_t>(factor * above);
      const auto high = static_cast<std::uint8_t>(factor * below);
      look(swapped ? pair_of(wanted, high, low) : pair_of(wanted, low, high));
    }
  }
}

// The best few pairs of scales, best first.
std::array<Pair, kKept> best_scales(const Wanted& steps) {
  std::array<Pair, kKept> best;
  close_pairs(steps, [&](const Pair& pair) {
    if (pair.cost >= best.back().cost) return;
    best.back() = pair;
    for (std::size_t i = kKept - 1; i > 0 && best[i].cost < best[i - 1].cost; --i)
      std::swap(best[i], best[i - 1]);
  });
  return best;
}

// Mean square of slope * quant - constant, of both halves.
float cost_of(const Pair& scales, const std::array<float, 2>& constant) {
  float cost = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const float slope = scales.difference[i];
    cost += slope * slope * kMeanSquare - 2 * slope * constant[i] * kMeanQuant +
            constant[i] * constant[i];
  }
  return cost;
}

constexpr float kLeastShare = 0.02f;  // about 1/63, the least ratio of scales
// Far below what f16 holds, where squares of its inverse would overflow: it counts as 0.
constexpr float kLeastStep = 1e-15f;

StepAndOffset without_dust(const StepAndOffset& half) {
  return half.step < kLeastStep ? StepAndOffset{} : half;
}

// What counts as one step of a half. A step that hardly matters beside the other's must not
// spoil that one.
float counted_inverse(float step, float other) {
  return step == 0 ? 0 : 1 / std::max(step, other * kLeastShare);
}

}  // namespace

Q4KFit fit_q4_k(const StepAndOffset& one, const StepAndOffset& other) {
  const StepAndOffset first = without_dust(one);
  const StepAndOffset second = without_dust(other);
  const std::array<float, 2> per_step = {counted_inverse(first.step, second.step),
                                         counted_inverse(second.step, first.step)};
  const std::array<float, 2> exact = {first.offset, second.offset};
  Q4KFit fit;
  float least = std::numeric_limits<float>::infinity();
  for (const Pair& scales : best_scales({{first.step, second.step}, per_step})) {
    if (least < kGoodEnough) break;
    // No offset makes up for more of what the scales miss than this.
    if (scales.cost * (kMeanSquare - kMeanQuant * kMeanQuant) >= least) break;
    // Offsets make up for it at the mean quant, and are never negative.
    const auto offset = [&](std::size_t half, float step) {
      return std::max(0.0f, exact[half] + scales.difference[half] * step * kMeanQuant);
    };
    const Wanted offsets = {{offset(0, first.step), offset(1, second.step)}, per_step};
    close_pairs(offsets, [&](const Pair& found) {
      std::array<float, 2> constant;
      for (std::size_t i = 0; i < 2; ++i)
        constant[i] = found.difference[i] + (offsets.number[i] - exact[i]) * per_step[i];
      const float cost = cost_of(scales, constant);
      if (cost >= least) return;
      least = cost;
      fit = {half_of(scales.unit), half_of(found.unit), scales.whole, found.whole};
    });
  }
  return fit;
}

Q4KFit::Error Q4KFit::error(std::size_t half, double step, double offset) const {
  return {static_cast<double>(float_of_half(d)) * scales[half] - step,
          offset - static_cast<double>(float_of_half(dmin)) * minimums[half]};
}

void Q4KFit::write_head(std::span<std::uint8_t, 16> out) const {
  std::memcpy(out.data(), &d, sizeof d);
  std::memcpy(out.data() + 2, &dmin, sizeof dmin);
  // Of each half four parts of 32; the second half's upper two bits lie above the first's.
  for (std::size_t part = 0; part < 4; ++part) {
    out[4 + part] = static_cast<std::uint8_t>(scales[0] | scales[1] >> 4 << 6);
    out[8 + part] = static_cast<std::uint8_t>(minimums[0] | minimums[1] >> 4 << 6);
    out[12 + part] = static_cast<std::uint8_t>((scales[1] & 15) | (minimums[1] & 15) << 4);
  }
}

}  // namespace infernode
