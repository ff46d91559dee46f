// Runs passes on the backend, through compute() (backend.h): measures their time, checks their
// status and counts them. Engine thread only.
#pragma once

#include <cstdint>
#include <functional>

#include "core/backend.h"
#include "core/cache/kv_cache.h"
#include "pass.h"

namespace infernode {

struct PassStats {
  std::int64_t decode_passes = 0;   // with decode rows, whether or not with prompt rows too
  std::int64_t prefill_passes = 0;  // with prompt rows only
  std::int64_t failed_passes = 0;
  std::int64_t decode_rows = 0;   // of requests that generate, one each
  std::int64_t padding_rows = 0;  // rows for gaps between sequences
  std::int64_t prompt_tokens_computed = 0;
  double decode_ms = 0;   // as Outcome::ms
  double prefill_ms = 0;  // the same, for prompt rows
  double submit_ms = 0;   // of both, until submit() returned
};

class PassRunner {
 public:
  using Clock = std::function<double()>;  // milliseconds, monotonic

  // Backend and cache outlive this. `meanwhile` is called once in each pass that the device
  // computes asynchronously, while it does.
  PassRunner(Backend& backend, KvCache& cache, Clock clock, std::function<void()> meanwhile);

  struct [[nodiscard]] Outcome {
    DecodeStatus status;
    double ms;  // from submit() until the padding was rolled back
  };
  // Computes a pass and rolls back its padding.
  Outcome run(const Pass& pass);

  const PassStats& stats() const { return totals_; }

 private:
  void roll_back_padding(const Pass& pass, DecodeStatus status);
  void count(const Pass& pass, const Outcome& outcome);

  Backend& backend_;
  KvCache& cache_;
  const Clock clock_;
  const std::function<void()> meanwhile_;
  PassStats totals_;
};

}  // namespace infernode
