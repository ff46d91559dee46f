// An exponential moving average of measured times.
#pragma once

namespace infernode {

constexpr double kNewShare = 0.2;  // of the latest measurement

// `mean`: 0 where nothing is measured yet.
inline void blend(double& mean, double sample) {
  mean = mean <= 0 ? sample : mean + kNewShare * (sample - mean);
}

}  // namespace infernode
