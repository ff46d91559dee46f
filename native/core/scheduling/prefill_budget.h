// How many prompt rows a step may compute while requests generate: as many as fit into the
// inter-token latency aimed at, by the measured time of a decode pass and of a prompt row. Engine
// thread only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/running_mean.h"

namespace infernode {

class PrefillBudget {
 public:
  // `cheap_rows`: of BackendFacts.
  PrefillBudget(std::int32_t capacity, double latency_ms, std::int32_t cheap_rows)
      : capacity_(capacity), latency_ms_(latency_ms), cheap_rows_(cheap_rows) {}

  void decoded(double ms) { blend(decode_ms_, ms); }
  void prefilled(std::int32_t rows, double ms) {
    // A pass of few rows takes as long as reading the weights: no measure of a row's time.
    if (rows >= cheap_rows_) blend(row_ms_, ms / rows);
  }

  double row_ms() const { return row_ms_; }  // 0: not known yet

  // Rows of this step: as many as the backend takes when no request generates.
  std::int32_t rows(bool others_generate) const {
    if (!others_generate || row_ms_ <= 0) return capacity_;
    // Where decode passes alone exceed the latency, prefill gets as much time as they do: otherwise
    // prompts would starve.
    const double room_ms = std::max(latency_ms_ - decode_ms_, decode_ms_);
    const auto rows = static_cast<std::int32_t>(std::min(room_ms / row_ms_, 1e6));
    return std::clamp(rows, std::min(cheap_rows_, capacity_), capacity_);
  }

 private:
  std::int32_t capacity_;
  double latency_ms_;
  std::int32_t cheap_rows_;  // of BackendFacts
  double decode_ms_ = 0;
  double row_ms_ = 0;
};

}  // namespace infernode
