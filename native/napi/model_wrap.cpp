#include "napi/model_wrap.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/engine_memory.h"
#include "napi/addon_data.h"
#include "napi/convert.h"
#include "napi/engine_wrap.h"

namespace infernode {

namespace {

// Progress reports a listener gets at most; llama.cpp makes one per tensor.
constexpr float kProgressStep = 0.02f;

// Calls the JavaScript progress listener from the loading thread. The last
// report, 1, is made by finish() on the JavaScript thread, so that it comes
// before the promise resolves and nothing comes after it.
class ProgressReporter {
 public:
  ProgressReporter(Napi::Env env, const Napi::Value& listener) {
    if (!listener.IsFunction()) return;
    listener_ = Napi::Persistent(listener.As<Napi::Function>());
    function_ = Napi::ThreadSafeFunction::New(env, listener_.Value(), "infernode progress", 0, 1);
  }

  void report(float fraction) {
    if (!function_ || fraction >= 1.0f || fraction < reported_ + kProgressStep) return;
    reported_ = fraction;
    function_.NonBlockingCall(
        [fraction, finished = finished_](Napi::Env env, const Napi::Function& listener) {
          if (!*finished) listener.Call({Napi::Number::New(env, fraction)});
        });
  }

  void release() {
    if (function_) function_.Release();
  }

  void finish(Napi::Env env) {
    *finished_ = true;
    if (!listener_.IsEmpty()) listener_.Call({Napi::Number::New(env, 1)});
  }

 private:
  Napi::FunctionReference listener_;
  Napi::ThreadSafeFunction function_;
  float reported_ = -1.0f;  // loading thread
  // Read and written on the JavaScript thread alone.
  std::shared_ptr<bool> finished_ = std::make_shared<bool>(false);
};

}  // namespace

class LoadModelWorker final : public Napi::AsyncWorker {
 public:
  LoadModelWorker(Napi::Env env, LoadOptions options, const Napi::Value& listener)
      : AsyncWorker(env, "infernode load model"),
        cancelled(std::make_shared<std::atomic<bool>>(false)),
        deferred_(Napi::Promise::Deferred::New(env)),
        options_(std::move(options)),
        progress_(env, listener) {
    AddonData::of(env).loads.insert(cancelled);
  }

  Napi::Promise promise() const { return deferred_.Promise(); }

  const std::shared_ptr<std::atomic<bool>> cancelled;

 protected:
  void Execute() override {
    try {
      model_ = LlamaModel::load(
          options_, [this](float fraction) { progress_.report(fraction); }, *cancelled);
    } catch (const Error& error) {
      failure_ = Failure{error.code(), error.what()};
    } catch (const std::exception& error) {
      failure_ = Failure{ErrorCode::kModelLoadFailed,
                         std::string("The model could not be loaded: ") + error.what()};
    }
    progress_.release();
  }

  void OnOK() override {
    const Napi::Env env = Env();
    AddonData::of(env).loads.erase(cancelled);
    if (failure_) return deferred_.Reject(error_to(env, *failure_).Value());
    const Napi::Object object = AddonData::of(env).model_constructor.New({});
    ModelWrap::Unwrap(object)->model_ = std::move(model_);
    try {
      progress_.finish(env);
      deferred_.Resolve(object);
    } catch (const Napi::Error& thrown_by_listener) {
      deferred_.Reject(thrown_by_listener.Value());
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  LoadOptions options_;
  ProgressReporter progress_;
  std::shared_ptr<const LlamaModel> model_;
  std::optional<Failure> failure_;
};

Napi::Function ModelWrap::define(Napi::Env env) {
  return DefineClass(
      env, "NativeModel",
      {InstanceAccessor<&ModelWrap::info>("info"), InstanceMethod<&ModelWrap::tensors>("tensors"),
       InstanceMethod<&ModelWrap::tokenize>("tokenize"),
       InstanceMethod<&ModelWrap::detokenize>("detokenize"),
       InstanceMethod<&ModelWrap::token_bytes>("tokenBytes"),
       InstanceMethod<&ModelWrap::memory_needed>("memoryNeeded"),
       InstanceMethod<&ModelWrap::create_engine>("createEngine"),
       InstanceMethod<&ModelWrap::close>("close")});
}

Napi::Value ModelWrap::load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto object = info[0].As<Napi::Object>();
  LoadOptions options;
  options.path = object.Get("path").ToString();
  options.gpu_layers = object.Get("gpuLayers").ToNumber().Int32Value();
  options.memory_map = object.Get("memoryMap").ToBoolean();
  options.synthetic = synthetic_from(options.path, object.Get("synthetic"));
  auto* worker = new LoadModelWorker(env, std::move(options), object.Get("onProgress"));
  Napi::Object load = Napi::Object::New(env);
  load.Set("promise", worker->promise());
  load.Set("cancel",
           Napi::Function::New(env, [cancelled = worker->cancelled](const Napi::CallbackInfo&) {
             cancelled->store(true);
           }));
  worker->Queue();
  return load;
}

ModelWrap::ModelWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

const std::shared_ptr<const LlamaModel>& ModelWrap::model(Napi::Env env) const {
  if (model_ == nullptr)
    throw error_to(env, {ErrorCode::kModelClosed, "The model is closed; load it again."});
  return model_;
}

std::shared_ptr<const LlamaModel> ModelWrap::draft_of(Napi::Env env, const Napi::Object& options) {
  const Napi::Value draft = options.Get("draft");
  return draft.IsObject() ? Unwrap(draft.As<Napi::Object>())->model(env) : nullptr;
}

Napi::Value ModelWrap::info(const Napi::CallbackInfo& info) {
  return info_to(info.Env(), *model(info.Env()));
}

Napi::Value ModelWrap::tensors(const Napi::CallbackInfo& info) {
  return tensors_to(info.Env(), model(info.Env())->file());
}

Napi::Value ModelWrap::tokenize(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    const std::vector<TokenId> tokens = model(env)->tokenize(
        info[0].ToString().Utf8Value(), info[1].ToBoolean(), info[2].ToBoolean());
    Napi::Int32Array array = Napi::Int32Array::New(env, tokens.size());
    std::copy(tokens.begin(), tokens.end(), array.Data());
    return array;
  } catch (const Error& error) {
    throw error_to(env, {error.code(), error.what()});
  }
}

Napi::Value ModelWrap::detokenize(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto tokens = info[0].As<Napi::Int32Array>();
  try {
    return Napi::String::New(
        env, model(env)->detokenize({tokens.Data(), tokens.ElementLength()}, info[1].ToBoolean()));
  } catch (const Error& error) {
    throw error_to(env, {error.code(), error.what()});
  }
}

Napi::Value ModelWrap::token_bytes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    const std::string bytes = model(env)->token_bytes(info[0].ToNumber().Int32Value());
    Napi::Uint8Array array = Napi::Uint8Array::New(env, bytes.size());
    std::ranges::copy(bytes, array.Data());
    return array;
  } catch (const Error& error) {
    throw error_to(env, {error.code(), error.what()});
  }
}

Napi::Value ModelWrap::memory_needed(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto asked = info[0].As<Napi::Object>();
  EngineOptions options = engine_options_from(asked);
  const auto draft = draft_of(env, asked);
  MemoryNeeded needed;
  try {
    needed = engine_memory(*model(env), draft.get(), options.context);
  } catch (const Error& error) {
    throw error_to(env, {error.code(), error.what()});
  }
  choose_host_cache(options, needed);
  Napi::Object object = Napi::Object::New(env);
  object.Set("hostCacheBytes", static_cast<double>(options.config.cache.host_limit));
  object.Set("kvBytes", static_cast<double>(needed.kv_bytes));
  object.Set("computeBytes", static_cast<double>(needed.compute_bytes));
  object.Set("weightBytes", static_cast<double>(needed.weight_bytes));
  return object;
}

Napi::Value ModelWrap::create_engine(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto options = info[0].As<Napi::Object>();
  return EngineWrap::create(env, {model(env), draft_of(env, options)}, options,
                            info[1].As<Napi::Function>());
}

void ModelWrap::close(const Napi::CallbackInfo&) { model_.reset(); }

}  // namespace infernode
