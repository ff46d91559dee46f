// The real Backend: one llama_context, with a KV stream per sequence or one pool of cells for all.
// All rules of llama_decode are enforced here: input that would abort the process is rejected
// before the call, and return codes become a DecodeStatus. Created on any thread, then used by the
// engine thread only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "model/cpu_cores.h"
#include "model/llama_lora.h"
#include "model/llama_model.h"

struct llama_context;

namespace infernode {

class LlamaRows;

struct ContextOptions {
  std::int32_t slots = 1;
  std::int32_t context_length = 0;  // positions per slot
  std::int32_t cells = 0;           // cells of one pool for all slots; 0: one stream per slot
  std::int32_t prefill_chunk = 512;
  std::int32_t threads = 1;
  KvType kv_type = KvType::kF16;
  bool flash_attention = true;
  std::vector<LoraOptions> loras;  // each path at most once
  bool speculation = false;        // reserves room for the logits of drafted rows
  // Sliding-window layers keep every position, in order, so that sums are equal to the bit whatever
  // was in the cache before.
  bool whole_windows = false;
  bool kv_offload = true;  // keys and values are stored where their layer is, else in host memory

  EngineShape shape() const {
    return {slots,         context_length, prefill_chunk, kv_type,   flash_attention,
            whole_windows, cells,          speculation,   kv_offload};
  }
  // "A context of 4 slots with 4096 tokens each".
  [[nodiscard]] std::string described() const;
};

struct ThreadPools;

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
  struct ContextDeleter {
    void operator()(llama_context* context) const;
  };

  void set_limits(const ContextOptions& options);
  std::int32_t sequences() const { return limits_.slots + limits_.idle_sequences; }
  [[nodiscard]] bool acceptable(const PassRows& pass) const;
  DecodeStatus submit_on_cores(const PassRows& pass);
  DecodeStatus submit_rows(const PassRows& pass);
  DecodeStatus synchronize();
  DecodeStatus call_llama(const std::function<std::int32_t()>& call);
  void attach_threads(const LlamaBackend* shared);
  void compute_with(std::int32_t threads);

  std::shared_ptr<const LlamaModel> model_;
  std::atomic<bool> interrupted_{false};
  BackendLimits limits_;
  std::int32_t window_ = 0;     // positions that sliding-window layers see; 0: all
  std::int32_t threads_ = 1;    // most threads of a pass
  std::int32_t computing_ = 0;  // threads of the latest pass
  // Shared with the draft model's backend. Null if no weights are on the CPU.
  std::shared_ptr<CpuCores::Member> cores_;
  // The thread pools outlive the contexts that compute with them.
  std::shared_ptr<ThreadPools> pools_;
  std::vector<Lora> loras_;   // outlive the context as well
  AdapterScales own_scales_;  // each adapter's scale at creation
  bool adapters_changed_ = false;
  bool on_devices_ = false;  // some layers are on devices
  bool lost_ = false;        // a pass was aborted midway: the context must not be used again
  std::unique_ptr<llama_context, ContextDeleter> context_;
  std::unique_ptr<LlamaRows> rows_;
  std::size_t submitted_rows_ = 0;  // of the pass in flight
  std::size_t computed_rows_ = 0;   // of the last pass; 0 when it failed
};

}  // namespace infernode
