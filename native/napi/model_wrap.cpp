#include "napi/model_wrap.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/engine_memory.h"
#include "napi/addon_data.h"
#include "napi/cancellable_worker.h"
#include "napi/checkpoint_convert.h"
#include "napi/convert.h"
#include "napi/create_engine.h"
#include "napi/engine_wrap.h"
#include "napi/placement.h"

namespace infernode {

namespace {

Napi::Array device_memory_to(Napi::Env env, const std::vector<DeviceMemory>& devices) {
  Napi::Array array = Napi::Array::New(env, devices.size());
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", devices[i].name);
    object.Set("weightBytes", static_cast<double>(devices[i].weights));
    object.Set("kvBytes", static_cast<double>(devices[i].kv));
    object.Set("computeBytes", static_cast<double>(devices[i].compute));
    array.Set(i, object);
  }
  return array;
}

}  // namespace

class LoadModelWorker final : public CancellableWorker {
 public:
  LoadModelWorker(Napi::Env env, LoadOptions options, const Napi::Value& listener)
      : CancellableWorker(
            env, "infernode load model",
            {.out_of_memory = "There is too little memory to load the model; use a smaller "
                              "quantization or a host with more memory.",
             .failed = "The model could not be loaded"},
            listener),
        options_(std::move(options)) {}

 protected:
  void work(const std::atomic<bool>& cancelled) override {
    model_ = LlamaModel::load(
        options_, [this](float fraction) { report(fraction); }, cancelled);
  }

  Napi::Value result(Napi::Env env) override {
    const Napi::Object object = AddonData::of(env).model_constructor.New({});
    ModelWrap::Unwrap(object)->model_ = std::move(model_);
    return object;
  }

 private:
  LoadOptions options_;
  std::shared_ptr<const LlamaModel> model_;
};

Napi::Function ModelWrap::define(Napi::Env env) {
  return DefineClass(
      env, "NativeModel",
      {InstanceAccessor<&ModelWrap::guarded<&ModelWrap::info>>("info"),
       InstanceMethod<&ModelWrap::guarded<&ModelWrap::tensors>>("tensors"),
       InstanceMethod<&ModelWrap::guarded<&ModelWrap::tokenize>>("tokenize"),
       InstanceMethod<&ModelWrap::guarded<&ModelWrap::detokenize>>("detokenize"),
       InstanceMethod<&ModelWrap::guarded<&ModelWrap::token_bytes>>("tokenBytes"),
       InstanceMethod<&ModelWrap::guarded<&ModelWrap::memory_needed>>("memoryNeeded"),
       InstanceMethod<&ModelWrap::guarded<&ModelWrap::create_engine>>("createEngine"),
       InstanceMethod<&ModelWrap::guarded<&ModelWrap::close>>("close")});
}

Napi::Value ModelWrap::load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto object = info[0].As<Napi::Object>();
  LoadOptions options;
  options.path = object.Get("path").ToString();
  options.placement = placement_from(object.Get("placement"));
  options.memory_map = object.Get("memoryMap").ToBoolean();
  options.synthetic = synthetic_from(options.path, object.Get("synthetic"));
  options.checkpoint = checkpoint_from(options.path, object.Get("checkpoint"));
  auto* worker = new LoadModelWorker(env, std::move(options), object.Get("onProgress"));
  return worker->start();
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
  const std::vector<TokenId> tokens = model(env)->vocab().tokenize(
      info[0].ToString().Utf8Value(), info[1].ToBoolean(), info[2].ToBoolean());
  Napi::Int32Array array = Napi::Int32Array::New(env, tokens.size());
  std::copy(tokens.begin(), tokens.end(), array.Data());
  return array;
}

Napi::Value ModelWrap::detokenize(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto tokens = info[0].As<Napi::Int32Array>();
  return Napi::String::New(env, model(env)->vocab().detokenize(
                                    {tokens.Data(), tokens.ElementLength()}, info[1].ToBoolean()));
}

Napi::Value ModelWrap::token_bytes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string bytes = model(env)->vocab().token_bytes(info[0].ToNumber().Int32Value());
  Napi::Uint8Array array = Napi::Uint8Array::New(env, bytes.size());
  std::ranges::copy(bytes, array.Data());
  return array;
}

Napi::Value ModelWrap::memory_needed(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto asked = info[0].As<Napi::Object>();
  EngineOptions options = engine_options_from(asked);
  const auto draft = draft_of(env, asked);
  const MemoryNeeded needed = engine_memory(*model(env), draft.get(), options.context);
  choose_host_cache(options, needed);
  Napi::Object object = Napi::Object::New(env);
  object.Set("hostCacheBytes", static_cast<double>(options.config.cache.host_limit));
  object.Set("kvBytes", static_cast<double>(needed.kv_bytes));
  object.Set("computeBytes", static_cast<double>(needed.compute_bytes));
  object.Set("vocabularyBytes", static_cast<double>(needed.vocabulary_bytes));
  object.Set("weightBytes", static_cast<double>(needed.weight_bytes));
  object.Set("devices", device_memory_to(env, needed.devices));
  return object;
}

Napi::Value ModelWrap::create_engine(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto options = info[0].As<Napi::Object>();
  return infernode::create_engine(env, {model(env), draft_of(env, options)}, options,
                                  info[1].As<Napi::Function>());
}

void ModelWrap::close(const Napi::CallbackInfo&) { model_.reset(); }

}  // namespace infernode
