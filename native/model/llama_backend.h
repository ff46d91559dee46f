// The real Backend: one llama_context, with a KV stream per sequence or one pool of cells for all.
// All rules of llama_decode are enforced here: input that would abort the process is rejected
// before the call, and return codes become a DecodeStatus. Created on any thread, then used by the
// engine thread only; interrupt() may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/backend.h"
#include "model/context_options.h"
#include "model/llama_handles.h"
#include "model/llama_lora.h"
#include "model/llama_model.h"

namespace infernode {

class LlamaRows;
class LlamaThreads;

class LlamaBackend final : public Backend {
 public:
  // Throws Error(kOutOfMemory) or Error(kInvalidOption). Two backends that share threads must not
  // compute at the same time. A pass on the CPU waits for its part of the cores (cpu_cores.h) and
  // then computes with as many threads.
  LlamaBackend(std::shared_ptr<const LlamaModel> model, const ContextOptions& options,
               const LlamaBackend* shares_threads_with = nullptr);
  ~LlamaBackend() override;

  const BackendLimits& limits() const override { return limits_; }
  DecodeStatus submit(const PassRows& pass) override;
  DecodeStatus wait() override;
  void use_adapters(const AdapterScales& scales) override;
  std::span<float> logits(std::size_t row) override;
  std::span<const float> embedding(std::size_t row) override;
  [[nodiscard]] bool truncate(SequenceId sequence, Position from) override;
  void share(SequenceId from, SequenceId to, Position length) override;
  Position reusable(SequenceId sequence, Position length) const override;
  std::vector<std::uint8_t> save(SequenceId sequence, std::size_t at_most) override;
  [[nodiscard]] bool has_form(std::span<const std::uint8_t> state, Position length) const override;
  [[nodiscard]] bool restore(SequenceId sequence, std::span<const std::uint8_t> state) override;
  Position resident(SequenceId sequence) const override;
  void interrupt() override;
  std::int64_t setups_reused() const override;

 private:
  void set_limits(const ContextOptions& options);
  std::int32_t sequences() const { return limits_.slots + limits_.idle_sequences; }
  [[nodiscard]] bool acceptable(const PassRows& pass) const;
  DecodeStatus submit_on_cores(const PassRows& pass);
  DecodeStatus submit_rows(const PassRows& pass);
  DecodeStatus synchronize();
  DecodeStatus call_llama(const std::function<std::int32_t()>& call);

  std::shared_ptr<const LlamaModel> model_;
  std::atomic<bool> interrupted_{false};
  BackendLimits limits_;
  std::int32_t window_ = 0;   // positions that sliding-window layers see; 0: all
  std::vector<Lora> loras_;   // outlive the context
  AdapterScales own_scales_;  // each adapter's scale at creation
  bool adapters_changed_ = false;
  bool on_devices_ = false;  // some layers are on devices
  bool lost_ = false;        // a pass was aborted midway: the context must not be used again
  // Outlives the context, which has a pointer to its threads; made after it.
  std::unique_ptr<LlamaThreads> threads_;
  ContextHandle context_;
  std::unique_ptr<LlamaRows> rows_;
  std::size_t submitted_rows_ = 0;  // of the pass in flight
  std::size_t computed_rows_ = 0;   // of the last pass; 0 when it failed
};

}  // namespace infernode
