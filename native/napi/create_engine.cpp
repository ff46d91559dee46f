#include "napi/create_engine.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "core/failures.h"
#include "model/engine_memory.h"
#include "model/host_limits.h"
#include "model/llama_draft.h"
#include "model/llama_facts.h"
#include "model/llama_log.h"
#include "napi/addon_data.h"
#include "napi/engine_wrap.h"
#include "napi/settle.h"

namespace infernode {

namespace {

// Sampling threads in addition to the engine's own; with more, wake-ups cost more than they save.
constexpr int kMostSamplerHelpers = 3;

constexpr int kWarning = 3;  // a log level

// Below this size a pass is so short that a second thread costs more in barriers than it saves, and
// ten times that where the cores are shared.
constexpr std::uint64_t kBytesWorthThreads = 16ULL << 20;

int fitting_threads(const ModelInfo& model) {
  return model.size_bytes < kBytesWorthThreads ? 1 : usable_cpus();
}

// More threads than cores would slow each pass down.
int allowed_threads(int asked) {
  const int cpus = usable_cpus();
  if (asked <= cpus) return asked;
  log_line(kWarning, "threads: this process may use " + std::to_string(cpus) +
                         " CPUs; a pass computes with as many threads, not " +
                         std::to_string(asked));
  return cpus;
}

void fill_in_defaults(EngineOptions& options, const ModelInfo& model) {
  int& threads = options.context.threads;
  threads = threads == 0 ? fitting_threads(model) : allowed_threads(threads);
  if (options.config.sampler_helpers == 0) {
    options.config.sampler_helpers = std::min(kMostSamplerHelpers, usable_cpus() - 1);
  }
}

// Assumed cost of a draft row relative to a target row, until measured: the ratio of the bytes
// read.
double assumed_price(const LlamaModel& draft, const LlamaModel& model) {
  return static_cast<double>(draft.info().size_bytes) /
         static_cast<double>(std::max<std::uint64_t>(1, model.info().size_bytes));
}

}  // namespace

void choose_host_cache(EngineOptions& options, const MemoryNeeded& needed) {
  if (!options.chooses_host_cache) return;
  options.config.cache.host_limit =
      static_cast<std::size_t>(default_host_cache_bytes(needed, available_memory_bytes()));
}

// Of the contexts and the threads.
constexpr FailureSentences kCreating = {
    "There is too little memory to create the engine; lower slots or contextLength.",
    "The engine could not be created"};

// Creates the contexts off the JavaScript thread.
class CreateEngineWorker final : public Napi::AsyncWorker {
 public:
  CreateEngineWorker(Napi::Env env, EngineModels models, EngineOptions options,
                     const Napi::Function& handler)
      : AsyncWorker(env, "infernode create engine"),
        deferred_(Napi::Promise::Deferred::New(env)),
        models_(std::move(models)),
        options_(std::move(options)),
        handler_(Napi::Persistent(handler)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    try {
      if (models_.draft != nullptr) check_same_vocabulary(*models_.model, *models_.draft);
      // The engine does this too, but its contexts are large.
      check_against(backend_facts(*models_.model, options_.context.flash_attention),
                    options_.config);
      check_engine_fits(*models_.model, models_.draft.get(), options_.context);
      if (options_.chooses_host_cache) {
        choose_host_cache(options_,
                          engine_memory(*models_.model, models_.draft.get(), options_.context));
      }
      auto backend = std::make_unique<LlamaBackend>(models_.model, options_.context);
      if (models_.draft != nullptr) make_draft_beside(*backend);
      backend_ = std::move(backend);
    } catch (...) {
      failure_ = failure_of(std::current_exception(), kCreating, ErrorCode::kEngineBroken);
    }
  }

  void OnOK() override {
    const Napi::Env env = Env();
    if (failure_) return reject(deferred_, *failure_);
    settle(deferred_, kCreating, ErrorCode::kEngineBroken, [&] {
      const Napi::Object object = AddonData::of(env).engine_constructor.New({});
      EngineWrap::Unwrap(object)->adopt(env, models_.model, std::move(backend_), std::move(draft_),
                                        options_, handler_.Value());
      return object;
    });
  }

 private:
  void make_draft_beside(const LlamaBackend& backend) {
    ContextOptions context = draft_context(*models_.draft, options_.context);
    context.threads = std::min(context.threads, fitting_threads(models_.draft->info()));
    draft_ = make_draft(models_.draft, backend, *models_.model, context);
    options_.config.drafting.draft_price = assumed_price(*models_.draft, *models_.model);
  }

  Napi::Promise::Deferred deferred_;
  EngineModels models_;
  EngineOptions options_;
  Napi::FunctionReference handler_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Backend> draft_;  // may be null
  std::optional<Failure> failure_;
};

Napi::Promise create_engine(Napi::Env env, EngineModels models, const Napi::Object& options,
                            const Napi::Function& handler) {
  EngineOptions chosen = engine_options_from(options);
  fill_in_defaults(chosen, models.model->info());
  auto* worker = new CreateEngineWorker(env, std::move(models), chosen, handler);
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace infernode
