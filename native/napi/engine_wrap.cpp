#include "napi/engine_wrap.h"

#include <chrono>
#include <string>
#include <utility>

#include "core/failures.h"
#include "napi/addon_data.h"
#include "napi/exit_guard.h"
#include "napi/prompt_convert.h"
#include "napi/settle.h"
#include "napi/state_workers.h"

namespace infernode {

namespace {

double steady_milliseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

RequestId id_from(const Napi::Value& value) {
  return static_cast<RequestId>(value.As<Napi::Number>().Int64Value());
}

constexpr FailureSentences kClosing = {"There was too little memory to close the engine.",
                                       "The engine could not be closed"};

}  // namespace

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
    settle(deferred_, kClosing, ErrorCode::kEngineBroken, [&] {
      wrap_.closed(Env());  // may throw what the handler throws
      return Env().Undefined();
    });
  }

 private:
  Napi::Promise::Deferred deferred_;
  EngineWrap& wrap_;
  Napi::ObjectReference alive_;
};

Napi::Function EngineWrap::define(Napi::Env env) {
  return DefineClass(
      env, "NativeEngine",
      {InstanceAccessor<&EngineWrap::guarded<&EngineWrap::options>>("options"),
       InstanceMethod<&EngineWrap::guarded<&EngineWrap::submit>>("submit"),
       InstanceMethod<&EngineWrap::guarded<&EngineWrap::fork>>("fork"),
       InstanceMethod<&EngineWrap::guarded<&EngineWrap::cancel>>("cancel"),
       InstanceMethod<&EngineWrap::guarded<&EngineWrap::acknowledge>>("acknowledge"),
       InstanceMethod<&EngineWrap::guarded<&EngineWrap::import_state>>("importState"),
       InstanceAccessor<&EngineWrap::guarded<&EngineWrap::broken>>("broken"),
       InstanceMethod<&EngineWrap::guarded<&EngineWrap::stats>>("stats"),
       InstanceMethod<&EngineWrap::guarded<&EngineWrap::ref>>("ref"),
       InstanceMethod<&EngineWrap::guarded<&EngineWrap::close>>("close")});
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
  // Cleanup hooks run in reverse order: this one before that of the thread-safe function, also
  // where the rest fails. Released afterwards, by garbage collection, the function would end the
  // process.
  hooked_environment_ = env;
  napi_add_env_cleanup_hook(env, on_environment_exit, this);
  // The vocabulary's pieces are stored in the model: this pointer keeps both alive.
  std::shared_ptr<const Vocab> vocab(model, &model->vocab());
  engine_ = std::make_shared<Engine>(std::move(backend), std::move(vocab), *channel_,
                                     options.config, steady_milliseconds, std::move(draft));
  prompts_ = std::make_unique<PromptQueue>(std::move(model), *engine_, *channel_);
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

// Asked first, before the prompt is even copied: a flood of requests costs one event each.
// Admission, which would refuse too, sees a request only when its prompt is tokenized.
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

Napi::Value EngineWrap::import_state(const Napi::CallbackInfo& info) {
  must_be_open(info.Env());
  return infernode::import_state(info.Env(), engine_, info[0].As<Napi::Object>());
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
