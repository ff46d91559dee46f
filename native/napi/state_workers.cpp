#include "napi/state_workers.h"

#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "napi/convert.h"

namespace infernode {

namespace {

// Work on an engine's cache: waits for the engine thread off the JavaScript
// thread, and rejects when the engine is closed.
class CacheWorker : public Napi::AsyncWorker {
 public:
  CacheWorker(Napi::Env env, std::shared_ptr<Engine> engine)
      : AsyncWorker(env, "infernode state"),
        deferred_(Napi::Promise::Deferred::New(env)),
        engine_(std::move(engine)) {}

  Napi::Promise start() {
    const Napi::Promise promise = deferred_.Promise();
    Queue();
    return promise;
  }

 protected:
  virtual void prepare() {}
  virtual void work(KvCache& cache) = 0;
  virtual Napi::Value result(Napi::Env env) = 0;

  void Execute() override {
    try {
      prepare();
      std::promise<bool> done;
      engine_->call([&](KvCache* cache) {
        try {
          if (cache != nullptr) work(*cache);
          done.set_value(cache != nullptr);
        } catch (...) {
          done.set_exception(std::current_exception());
        }
      });
      if (!done.get_future().get())
        failure_ = {ErrorCode::kEngineClosed, "The engine is closed; create another one."};
    } catch (const Error& error) {
      failure_ = {error.code(), error.what()};
    } catch (const std::exception& error) {
      failure_ = {ErrorCode::kOutOfMemory,
                  std::string("The state cannot be moved: ") + error.what()};
    }
  }

  void OnOK() override {
    if (failure_) return deferred_.Reject(error_to(Env(), *failure_).Value());
    deferred_.Resolve(result(Env()));
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<Engine> engine_;
  std::optional<Failure> failure_;
};

class TakeStateWorker final : public CacheWorker {
 public:
  TakeStateWorker(Napi::Env env, std::shared_ptr<const LlamaModel> model,
                  std::shared_ptr<Engine> engine, Prompt prompt)
      : CacheWorker(env, std::move(engine)), model_(std::move(model)), prompt_(std::move(prompt)) {}

 protected:
  void prepare() override {
    if (const auto* text = std::get_if<PromptText>(&prompt_.content)) {
      tokens_ = model_->tokenize(text->text, text->add_special, text->parse_special);
    } else {
      tokens_ = std::get<std::vector<TokenId>>(prompt_.content);
    }
  }

  void work(KvCache& cache) override {
    const GenerateParams& params = prompt_.params;
    taken_ = cache.take(tokens_, cache_key(params.cache_salt, params.adapters));
  }

  Napi::Value result(Napi::Env env) override {
    if (taken_.tokens.empty()) return env.Null();
    Napi::Object object = Napi::Object::New(env);
    Napi::Int32Array tokens = Napi::Int32Array::New(env, taken_.tokens.size());
    std::copy(taken_.tokens.begin(), taken_.tokens.end(), tokens.Data());
    object.Set("tokens", tokens);
    object.Set("state",
               Napi::Buffer<std::uint8_t>::Copy(env, taken_.state.data(), taken_.state.size()));
    return object;
  }

 private:
  std::shared_ptr<const LlamaModel> model_;
  Prompt prompt_;
  std::vector<TokenId> tokens_;
  CachedState taken_;
};

class GiveStateWorker final : public CacheWorker {
 public:
  GiveStateWorker(Napi::Env env, std::shared_ptr<Engine> engine, CachedState state,
                  std::string salt)
      : CacheWorker(env, std::move(engine)), state_(std::move(state)), salt_(std::move(salt)) {}

 protected:
  void work(KvCache& cache) override { fits_ = cache.give(std::move(state_), salt_); }
  Napi::Value result(Napi::Env env) override { return Napi::Boolean::New(env, fits_); }

 private:
  CachedState state_;
  std::string salt_;
  bool fits_ = false;
};

}  // namespace

Napi::Promise take_state(Napi::Env env, std::shared_ptr<const LlamaModel> model,
                         std::shared_ptr<Engine> engine, const Napi::Object& prompt) {
  auto* worker =
      new TakeStateWorker(env, std::move(model), std::move(engine), prompt_from(0, prompt));
  return worker->start();
}

Napi::Promise give_state(Napi::Env env, std::shared_ptr<Engine> engine,
                         const Napi::Object& object) {
  const auto tokens = object.Get("tokens").As<Napi::Int32Array>();
  const auto bytes = object.Get("state").As<Napi::Uint8Array>();
  CachedState state{{tokens.Data(), tokens.Data() + tokens.ElementLength()},
                    {bytes.Data(), bytes.Data() + bytes.ElementLength()}};
  const std::string salt = object.Get("cacheSalt").As<Napi::String>().Utf8Value();
  auto* worker = new GiveStateWorker(env, std::move(engine), std::move(state),
                                     cache_key(salt, adapters_from(object.Get("loras"))));
  return worker->start();
}

}  // namespace infernode
