// Errors are counted in a half's own steps and averaged over quants from 0 to 15 with equal
// probability, so that d and dmin serve both halves equally however their steps differ.
#include "checkpoint/q4_k_fit.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "checkpoint/half_numbers.h"

namespace infernode {

namespace {

constexpr int kMost = 63;                 // largest scale or minimum: six bits
constexpr std::size_t kFractions = 1229;  // from 0/1 to 1/1 with denominators up to kMost
constexpr std::size_t kBuckets = 1024;
constexpr std::size_t kNeighbours = 2;  // fractions tried on each side of the ratio
constexpr std::size_t kKept = 4;        // pairs of scales for which minimums are searched
// Mean square of both halves together: half of it is 0.0045 steps, a sixtieth of the error of
// rounding to 4 bits.
constexpr float kGoodEnough = 4e-5f;
constexpr float kMeanQuant = 7.5f, kMeanSquare = 77.5f;  // over 0 to 15

struct Fraction {
  std::uint8_t above;
  std::uint8_t below;
};

// The fractions in ascending order, and the first one in each bucket of [0, 1].
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

// Two integers times a common f16, approximating two targets; all in the halves' steps.
struct Pair {
  std::array<std::uint8_t, 2> whole = {};
  float unit = 0;                        // rounded to f16
  std::array<float, 2> difference = {};  // written minus target, in steps
  float cost = std::numeric_limits<float>::infinity();
};

// The targets to approximate, and the size of each one's unit in steps.
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

// Calls `look` with pairs of small integers whose ratio is close to the target.
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
  // 0 must be represented by 0: the other half would gain less than 1/63 from anything else.
  const std::size_t end = smaller == 0 ? 1 : std::min(at + kNeighbours, kFractions);
  for (std::size_t i = begin; i < end; ++i) {
    const auto [above, below] = kTable.fractions[i];
    // Different multiples round the common f16 differently.
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

constexpr float kLeastShare = 0.02f;  // about 1/63, the smallest ratio of scales
// Far below f16's range, where squares of its inverse would overflow: counts as 0.
constexpr float kLeastStep = 1e-15f;

StepAndOffset without_dust(const StepAndOffset& half) {
  return half.step < kLeastStep ? StepAndOffset{} : half;
}

// What counts as one step of a half. A step that is negligible beside the other half's must not
// dominate the fit.
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
    // Offsets cannot compensate for a larger error of the scales than this.
    if (scales.cost * (kMeanSquare - kMeanQuant * kMeanQuant) >= least) break;
    // Offsets compensate at the mean quant, and are never negative.
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
  // Four parts of 32 per half; the upper two bits of the second half are stored above those of the
  // first.
  for (std::size_t part = 0; part < 4; ++part) {
    out[4 + part] = static_cast<std::uint8_t>(scales[0] | scales[1] >> 4 << 6);
    out[8 + part] = static_cast<std::uint8_t>(minimums[0] | minimums[1] >> 4 << 6);
    out[12 + part] = static_cast<std::uint8_t>((scales[1] & 15) | (minimums[1] & 15) << 4);
  }
}

}  // namespace infernode
