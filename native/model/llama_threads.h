// The CPU threads with which an engine's contexts compute, and the cores that its passes lease for
// them. An engine's model and draft model share both, since they never compute at the same time.
// Engine thread only, except for wake().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "model/cpu_cores.h"
#include "model/llama_model.h"

struct llama_context;

namespace infernode {

struct ThreadPools;

class LlamaThreads {
 public:
  // `most`: threads of a pass. `shared`: of the engine's other context; null if there is none. The
  // context computes with `most` threads from then on, and outlives neither this nor a copy of
  // pools().
  LlamaThreads(llama_context& context, const LlamaModel& model, std::int32_t most,
               const LlamaThreads* shared);

  // Whether a part of the model is computed on the CPU, so that passes must lease cores.
  [[nodiscard]] bool on_cpu() const { return cores_ != nullptr; }
  // Blocks until cores are free. None: it was interrupted.
  [[nodiscard]] CpuCores::Lease lease(const std::atomic<bool>& interrupted);
  // Sets with how many threads the context computes.
  void compute_with(std::int32_t threads);
  // Makes a waiting lease() check its flag. Any thread.
  void wake();
  // ggml's thread pools, to which the context has a pointer.
  std::shared_ptr<const void> pools() const;

 private:
  llama_context& context_;
  const std::int32_t most_;
  std::int32_t computing_ = 0;               // threads of the latest pass
  std::shared_ptr<CpuCores::Member> cores_;  // null if nothing is computed on the CPU
  std::shared_ptr<ThreadPools> pools_;
};

}  // namespace infernode
