// Has passes computed: times them, looks at how they ended and counts. The one place that calls
// Backend::decode() and Backend::prefill() for requests. Engine thread only.
#pragma once

#include <cstdint>
#include <functional>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "pass.h"

namespace infernode {

struct PassStats {
  std::int64_t decode_passes = 0;   // in which somebody generated
  std::int64_t prefill_passes = 0;  // in which prompts were read and nobody generated
  std::int64_t failed_passes = 0;
  std::int64_t decode_rows = 0;   // of requests that generate, one each
  std::int64_t padding_rows = 0;  // rows that filled holes
  std::int64_t prompt_tokens_computed = 0;
  double decode_ms = 0;
  double prefill_ms = 0;
};

class PassRunner {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // Both outlive this.
  PassRunner(Backend& backend, KvCache& cache, Clock clock);

  struct [[nodiscard]] Outcome {
    DecodeStatus status;
    double ms;  // it took
  };
  // Computes a pass, and rolls back the rows that only padded it.
  Outcome run(const Pass& pass);

  const PassStats& stats() const { return totals_; }

 private:
  void roll_back_padding(const Pass& pass, DecodeStatus status);
  void count(const Pass& pass, const Outcome& outcome);

  Backend& backend_;
  KvCache& cache_;
  const Clock clock_;
  PassStats totals_;
};

}  // namespace infernode
