#include "napi/engine_wrap.h"

#include <chrono>
#include <optional>
#include <utility>

#include "core/failures.h"
#include "model/engine_memory.h"
#include "model/host_limits.h"
#include "model/llama_draft.h"
#include "model/llama_facts.h"
#include "model/llama_runtime.h"
#include "napi/addon_data.h"
#include "napi/exit_guard.h"
#include "napi/prompt_convert.h"
#include "napi/state_workers.h"

namespace infernode {

namespace {

// Sampling threads in addition to the engine's own; with more, wake-ups cost more than they save.
constexpr int kMostSamplerHelpers = 3;

double steady_milliseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

constexpr int kWarning = 3;  // a log level

RequestId id_from(const Napi::Value& value) {
  return static_cast<RequestId>(value.As<Napi::Number>().Int64Value());
}

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
double guessed_price(const LlamaModel& draft, const LlamaModel& model) {
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
  CreateEngineWorker(Napi::Env env, EngineWrap::Models models, EngineOptions options,
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
      if (options_.config.cache.deterministic)
        check_repeatable(backend_facts(*models_.model, options_.context.flash_attention));
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
    if (failure_) return deferred_.Reject(error_to(env, *failure_).Value());
    try {
      const Napi::Object object = AddonData::of(env).engine_constructor.New({});
      EngineWrap::Unwrap(object)->adopt(env, models_.model, std::move(backend_), std::move(draft_),
                                        options_, handler_.Value());
      deferred_.Resolve(object);
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    } catch (...) {
      deferred_.Reject(
          error_to(env, failure_of(std::current_exception(), kCreating, ErrorCode::kEngineBroken))
              .Value());
    }
  }

 private:
  void make_draft_beside(const LlamaBackend& backend) {
    ContextOptions context = draft_context(*models_.draft, options_.context);
    context.threads = std::min(context.threads, fitting_threads(models_.draft->info()));
    draft_ = make_draft(models_.draft, backend, *models_.model, context);
    options_.config.drafting.draft_price = guessed_price(*models_.draft, *models_.model);
  }

  Napi::Promise::Deferred deferred_;
  EngineWrap::Models models_;
  EngineOptions options_;
  Napi::FunctionReference handler_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Backend> draft_;  // may be null
  std::optional<Failure> failure_;
};

// Joins the engine off the JavaScript thread, since a running pass may take long.
class CloseEngineWorker final : public Napi::AsyncWorker {
 public:
  CloseEngineWorker(Napi::Env env, EngineWrap& wrap)
      : AsyncWorker(env, "infernode close engine"),
        deferred_(Napi::Promise::Deferred::New(env)),
        wrap_(wrap),
        alive_(Napi::Persistent(wrap.Value())) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { wrap_.stop_threads(); }
  void OnOK() override {
    try {
      wrap_.closed(Env());
      deferred_.Resolve(Env().Undefined());
    } catch (const Napi::Error& thrown_by_handler) {
      deferred_.Reject(thrown_by_handler.Value());
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  EngineWrap& wrap_;
  Napi::ObjectReference alive_;
};

Napi::Function EngineWrap::define(Napi::Env env) {
  return DefineClass(
      env, "NativeEngine",
      {InstanceAccessor<&EngineWrap::options>("options"),
       InstanceMethod<&EngineWrap::submit>("submit"), InstanceMethod<&EngineWrap::fork>("fork"),
       InstanceMethod<&EngineWrap::cancel>("cancel"),
       InstanceMethod<&EngineWrap::acknowledge>("acknowledge"),
       InstanceMethod<&EngineWrap::give_state>("giveState"),
       InstanceAccessor<&EngineWrap::broken>("broken"), InstanceMethod<&EngineWrap::stats>("stats"),
       InstanceMethod<&EngineWrap::ref>("ref"), InstanceMethod<&EngineWrap::close>("close")});
}

Napi::Promise EngineWrap::create(Napi::Env env, Models models, const Napi::Object& options,
                                 const Napi::Function& handler) {
  EngineOptions chosen = engine_options_from(options);
  fill_in_defaults(chosen, models.model->info());
  auto* worker = new CreateEngineWorker(env, std::move(models), chosen, handler);
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

EngineWrap::EngineWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

EngineWrap::~EngineWrap() {
  stop_threads();
  ExitGuard::forget(this);
  if (hooked_environment_ != nullptr)
    napi_remove_env_cleanup_hook(hooked_environment_, on_environment_exit, this);
  if (channel_ != nullptr) channel_->release();
}

void EngineWrap::adopt(Napi::Env env, std::shared_ptr<const LlamaModel> model,
                       std::unique_ptr<Backend> backend, std::unique_ptr<Backend> draft,
                       const EngineOptions& options, const Napi::Function& handler) {
  options_ = options;
  channel_ =
      std::make_unique<EventChannel>(env, handler, [this](RequestId id) { controls_.erase(id); });
  // The vocabulary's pieces are stored in the model: this pointer keeps both alive.
  std::shared_ptr<const Vocab> vocab(model, &model->vocab());
  engine_ = std::make_shared<Engine>(std::move(backend), std::move(vocab), *channel_,
                                     options.config, steady_milliseconds, std::move(draft));
  prompts_ = std::make_unique<PromptQueue>(std::move(model), *engine_, *channel_);
  // Cleanup hooks run in reverse order: this one before that of the thread-safe function.
  hooked_environment_ = env;
  napi_add_env_cleanup_hook(env, on_environment_exit, this);
  ExitGuard::remember(env, this, [this] { stop_threads(); });
  engine_->start();
}

void EngineWrap::stop_threads() {
  const std::lock_guard lock(stop_mutex_);
  if (std::exchange(stopped_, true) || engine_ == nullptr) return;
  if (prompts_ != nullptr) prompts_->close();
  engine_->close();
  last_stats_ = engine_->stats();
}

void EngineWrap::closed(Napi::Env env) {
  if (channel_ == nullptr) return;
  channel_->deliver_rest(env);
  channel_->release();
  ExitGuard::forget(this);
  prompts_.reset();
  engine_.reset();  // frees the context's memory
}

void EngineWrap::on_environment_exit(void* self) {
  auto* wrap = static_cast<EngineWrap*>(self);
  wrap->hooked_environment_ = nullptr;
  wrap->stop_threads();
  wrap->channel_->release();
}

Napi::Value EngineWrap::options(const Napi::CallbackInfo& info) {
  return engine_options_to(info.Env(), options_);
}

void EngineWrap::submit(const Napi::CallbackInfo& info) {
  push(info.Env(), id_from(info[0]),
       [&](RequestId id) { return prompt_from(id, info[1].As<Napi::Object>()); });
}

void EngineWrap::fork(const Napi::CallbackInfo& info) {
  push(info.Env(), id_from(info[0]), [&](RequestId id) {
    bool lossless = true;
    Prompt prompt;
    prompt.id = id;
    prompt.content =
        PromptFork{id_from(info[1]), info[2].As<Napi::BigInt>().Uint64Value(&lossless)};
    return prompt;
  });
}

void EngineWrap::push(Napi::Env env, RequestId id,
                      const std::function<Prompt(RequestId)>& make_prompt) {
  must_be_open(env);
  if (controls_.size() >= options_.config.queue_limit) return refuse_full(id);
  Prompt prompt = make_prompt(id);
  prompt.control = std::make_shared<RequestControl>();
  controls_[id] = prompt.control;
  try {
    prompts_->push(std::move(prompt));
  } catch (...) {
    controls_.erase(id);
    throw;
  }
}

// Checked first, before the prompt is even copied: a flood of requests costs nothing.
void EngineWrap::refuse_full(RequestId id) {
  StepEvents events;
  events.ends.push_back(
      {id, FinishReason::kError, queue_full(options_.config.queue_limit), {}, {}, {}, {}});
  channel_->publish(std::move(events));
}

void EngineWrap::cancel(const Napi::CallbackInfo& info) {
  const auto found = controls_.find(id_from(info[0]));
  if (found == controls_.end()) return;
  found->second->cancelled.store(true);
  if (engine_ != nullptr) engine_->wake();
}

void EngineWrap::acknowledge(const Napi::CallbackInfo& info) {
  const auto found = controls_.find(id_from(info[0]));
  if (found == controls_.end()) return;
  found->second->acknowledged.fetch_add(info[1].As<Napi::Number>().Int64Value(),
                                        std::memory_order_seq_cst);
  if (found->second->wants_wake.exchange(false, std::memory_order_seq_cst) && engine_ != nullptr)
    engine_->wake();
}

Napi::Value EngineWrap::give_state(const Napi::CallbackInfo& info) {
  must_be_open(info.Env());
  return infernode::give_state(info.Env(), engine_, info[0].As<Napi::Object>());
}

void EngineWrap::must_be_open(Napi::Env env) const {
  if (prompts_ == nullptr || engine_ == nullptr) throw error_to(env, engine_closed());
}

Napi::Value EngineWrap::broken(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), engine_ != nullptr && engine_->broken());
}

Napi::Value EngineWrap::stats(const Napi::CallbackInfo& info) {
  const double wake_ups = channel_ == nullptr ? 0 : static_cast<double>(channel_->wake_ups());
  return stats_to(info.Env(), engine_ == nullptr ? last_stats_ : engine_->stats(), wake_ups);
}

void EngineWrap::ref(const Napi::CallbackInfo& info) {
  if (channel_ != nullptr) channel_->ref(info.Env(), info[0].ToBoolean());
}

Napi::Value EngineWrap::close(const Napi::CallbackInfo& info) {
  if (closing_.IsEmpty()) {
    auto* worker = new CloseEngineWorker(info.Env(), *this);
    closing_ = Napi::Reference<Napi::Promise>::New(worker->promise(), 1);
    worker->Queue();
  }
  return closing_.Value();
}

}  // namespace infernode
