#include "model/llama_threads.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "llama.h"

namespace infernode {

namespace {

// Rounds that a worker thread polls for the next graph before it sleeps, in units of 131,072: long
// enough to bridge sampling between two passes, short enough to leave the core to Node afterwards.
// ggml's default is fifty times as long.
constexpr std::uint32_t kPollLevel = 1;

// A function of the CPU backend's library, which is loaded at run time, not linked.
template <typename Function>
Function* cpu_function(const char* name) {
  ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (device == nullptr) return nullptr;
  return reinterpret_cast<Function*>(
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), name));
}

bool computes_on_cpu(const LlamaModel& model) {
  return std::ranges::any_of(model.info().devices, [](const ModelDevice& device) {
    return device.name == "CPU" && device.computes();
  });
}

}  // namespace

// ggml thread pools by the number of threads a pass uses, since the threads of a pool that a pass
// does not use would spin through it. An engine's backends share them for the same reason: while
// one computes, the threads of the other sleep. All pools live as long as the contexts, which keep
// a pointer to their last one.
struct ThreadPools {
  using Pool = std::unique_ptr<ggml_threadpool, void (*)(ggml_threadpool*)>;
  std::map<std::int32_t, Pool> by_threads;

  // Null for one thread, which needs no pool, and if the CPU backend offers none.
  ggml_threadpool* find(std::int32_t threads) {
    if (threads < 2) return nullptr;
    if (const auto known = by_threads.find(threads); known != by_threads.end())
      return known->second.get();
    auto* create = cpu_function<decltype(ggml_threadpool_new)>("ggml_threadpool_new");
    auto* release = cpu_function<decltype(ggml_threadpool_free)>("ggml_threadpool_free");
    if (create == nullptr || release == nullptr) return nullptr;
    ggml_threadpool_params params = ggml_threadpool_params_default(threads);
    params.poll = kPollLevel;
    return by_threads.emplace(threads, Pool(create(&params), release)).first->second.get();
  }
};

LlamaThreads::LlamaThreads(llama_context& context, const LlamaModel& model, std::int32_t most,
                           const LlamaThreads* shared)
    : context_(context), most_(std::min(most, cpu_cores().count())) {
  if (computes_on_cpu(model)) {
    cores_ = shared == nullptr ? nullptr : shared->cores_;
    if (cores_ == nullptr) cores_ = std::make_shared<CpuCores::Member>(cpu_cores());
  }
  pools_ = shared == nullptr ? std::make_shared<ThreadPools>() : shared->pools_;
  compute_with(most_);
}

CpuCores::Lease LlamaThreads::lease(const std::atomic<bool>& interrupted) {
  return cores_->take(most_, interrupted);
}

void LlamaThreads::wake() {
  if (cores_ != nullptr) cores_->wake();
}

std::shared_ptr<const void> LlamaThreads::pools() const { return pools_; }

// llama.cpp logs every call.
void LlamaThreads::compute_with(std::int32_t threads) {
  if (std::exchange(computing_, threads) == threads) return;
  llama_set_n_threads(&context_, threads, threads);
  if (ggml_threadpool* pool = pools_->find(threads); pool != nullptr) {
    llama_attach_threadpool(&context_, pool, nullptr);
  } else {
    llama_detach_threadpool(&context_);
  }
}

}  // namespace infernode
