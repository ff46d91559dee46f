// The threads that turn the logits of a pass's rows into tokens or log-probabilities, each with its
// own work space. Owned and called by the engine thread, which works on the rows too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sampler_scratch.h"
#include "worker_pool.h"

namespace infernode {

class RowWorkers {
 public:
  // `helpers` threads besides the engine's own.
  explicit RowWorkers(std::int32_t helpers) : pool_(helpers), scratch_(pool_.workers()) {}

  // Calls work(index, scratch) once for each of so many rows, on several threads where they are
  // many.
  template <typename Work>
  void run(std::size_t rows, const Work& work) {
    pool_.run(
        rows, [&](std::size_t index, std::size_t worker) { work(index, scratch_[worker]); },
        kRowsPerWorker);
  }
  // The work space of the engine thread, while run() does not run.
  SamplerScratch& scratch() { return scratch_.front(); }

 private:
  static constexpr std::size_t kRowsPerWorker = 8;  // that justify waking another thread

  WorkerPool pool_;
  std::vector<SamplerScratch> scratch_;  // one per thread of `pool_`
};

}  // namespace infernode
