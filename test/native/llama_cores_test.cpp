// Engines of one process on the real backend: how many threads compute at once, counted in
// front of llama.cpp's own functions, and what happens to passes that wait for cores.
#include <dlfcn.h>

#include <atomic>
#include <thread>

#include "backend_passes.h"
#include "check.h"
#include "ggml-backend.h"
#include "llama.h"
#include "model/cpu_cores.h"
#include "model_fixture.h"

using namespace infernode;

namespace {

std::atomic<int> computing = 0, most_computing = 0;
thread_local int threads_of_pass = 0;  // what the context on this thread was told last

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

constexpr std::int32_t kPasses = 30;

struct Computer {
  Computer(const std::shared_ptr<const LlamaModel>& model, std::int32_t threads,
           const LlamaBackend* shares_threads_with = nullptr)
      : backend(model, options(threads), shares_threads_with) {}

  static ContextOptions options(std::int32_t threads, bool flash_attention = true) {
    ContextOptions options = context_of(1, 64);
    options.threads = threads;
    options.flash_attention = flash_attention;
    return options;
  }

  DecodeStatus pass() {
    const BatchRow row{100, 0, backend.resident(0)};
    return run_decode(backend, {&row, 1}, false);
  }

  LlamaBackend backend;
};

int cores() { return cpu_cores().count(); }

std::vector<float> logits_of(const std::shared_ptr<const LlamaModel>& model, std::int32_t threads,
                             bool flash_attention) {
  LlamaBackend backend(model, Computer::options(threads, flash_attention));
  std::vector<BatchRow> rows;
  for (Position position = 0; position < 200; ++position) {
    rows.push_back({100 + position * 7 % 900, 0, position});
    if (rows.size() < 50) continue;
    CHECK(run_prefill(backend, rows) == DecodeStatus::kOk);
    rows.clear();
  }
  std::vector<float> logits;
  for (int i = 0; i < 10; ++i) {
    const BatchRow row{200 + i, 0, backend.resident(0)};
    CHECK(run_decode(backend, {&row, 1}, false) == DecodeStatus::kOk);
    logits.insert(logits.end(), backend.logits(0).begin(), backend.logits(0).end());
  }
  return logits;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void llama_set_n_threads(llama_context* context,
                                                                           std::int32_t threads,
                                                                           std::int32_t batch) {
  threads_of_pass = threads;
  static auto* const set = real<decltype(llama_set_n_threads)>("llama_set_n_threads");
  set(context, threads, batch);
}

extern "C" __attribute__((visibility("default"))) ggml_status
ggml_backend_sched_graph_compute_async(ggml_backend_sched_t scheduler, ggml_cgraph* graph) {
  static auto* const compute = real<decltype(ggml_backend_sched_graph_compute_async)>(
      "ggml_backend_sched_graph_compute_async");
  const int threads = threads_of_pass > 0 ? threads_of_pass : cores();
  const int now = computing += threads;
  for (int seen = most_computing; now > seen;) {
    if (most_computing.compare_exchange_weak(seen, now)) break;
  }
  const ggml_status status = compute(scheduler, graph);
  computing -= threads;
  return status;
}

TEST("graphs of several engines are never computed by more threads than there are cores") {
  const auto model = load_embedded("q8_0");
  for (const std::int32_t threads : {1, cores(), 64}) {
    most_computing = 0;
    std::vector<std::thread> engines;
    std::atomic<int> passes = 0;
    for (int engine = 0; engine < cores() + 2; ++engine) {
      engines.emplace_back([&] {
        Computer computer(model, threads);
        for (std::int32_t i = 0; i < kPasses; ++i)
          passes += computer.pass() == DecodeStatus::kOk ? 1 : 0;
      });
    }
    for (std::thread& engine : engines) engine.join();
    CHECK_EQ(passes.load(), (cores() + 2) * kPasses);
    CHECK(most_computing >= 1);
    CHECK(most_computing <= cores());
  }
}

TEST("an engine alone computes with all its threads, and so does its draft model") {
  const auto model = load_embedded("q8_0");
  Computer engine(model, cores());
  Computer draft(model, cores(), &engine.backend);
  for (int i = 0; i < 3; ++i) {
    most_computing = 0;
    CHECK(engine.pass() == DecodeStatus::kOk);
    CHECK(draft.pass() == DecodeStatus::kOk);
    CHECK_EQ(most_computing.load(), cores());
  }
}

TEST("a pass that waits for cores ends at once when its engine closes, and others continue") {
  const auto model = load_embedded("q8_0");
  Computer closing(model, cores());
  Computer other(model, cores());
  const std::atomic<bool> never = false;
  CpuCores::Member holder(cpu_cores());
  {
    const CpuCores::Lease all = holder.take(cores(), never);
    std::thread waiting([&] { CHECK(closing.pass() == DecodeStatus::kFailed); });
    closing.backend.interrupt();
    waiting.join();
  }
  CHECK(other.pass() == DecodeStatus::kOk);
}

TEST("a backend that is gone has no part of the cores") {
  const auto model = load_embedded("q8_0");
  CHECK(Computer(model, cores()).pass() == DecodeStatus::kOk);
  Computer engine(model, cores());
  most_computing = 0;
  CHECK(engine.pass() == DecodeStatus::kOk);
  CHECK_EQ(most_computing.load(), cores());
}

TEST("logits are the same to the bit, however many cores a pass gets") {
  for (const std::string type : {"q8_0", "q4_0", "f16"}) {
    const auto model = load_embedded(type);
    for (const bool flash_attention : {false, true}) {
      const std::vector<float> one = logits_of(model, 1, flash_attention);
      for (std::int32_t threads = 2; threads <= std::min(cores(), 4); ++threads)
        CHECK(logits_of(model, threads, flash_attention) == one);
    }
  }
}
