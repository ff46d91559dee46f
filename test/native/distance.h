// How far sums are from exact ones.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace infernode {

// Of sums beside exact ones, in parts of the sum of their terms' sizes.
struct Distance {
  double squares = 0;
  double worst = 0;
  std::int64_t count = 0;

  void add(double found, double exact, double size) {
    const double part = std::abs(found - exact) / size;
    squares += part * part;
    worst = std::max(worst, part);
    ++count;
  }
  double root_mean_square() const { return std::sqrt(squares / static_cast<double>(count)); }
};

}  // namespace infernode
