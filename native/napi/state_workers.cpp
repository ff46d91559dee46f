#include "napi/state_workers.h"

#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/failures.h"
#include "napi/convert.h"
#include "napi/prompt_convert.h"
#include "napi/settle.h"

namespace infernode {

namespace {

const char* name_of(StateImport outcome) {
  switch (outcome) {
    case StateImport::kKept:
      return "kept";
    case StateImport::kNoRoom:
      return "no-room";
    case StateImport::kMalformed:
      break;
  }
  return "malformed";
}

constexpr FailureSentences kRestoring = {"There is too little memory to restore the state.",
                                         "The state could not be restored"};

// Waits for the engine thread off the JavaScript thread, and rejects if the engine is closed.
class ImportStateWorker final : public Napi::AsyncWorker {
 public:
  ImportStateWorker(Napi::Env env, std::shared_ptr<Engine> engine, CachedState state,
                    std::string salt)
      : AsyncWorker(env, "infernode state"),
        deferred_(Napi::Promise::Deferred::New(env)),
        engine_(std::move(engine)),
        state_(std::move(state)),
        salt_(std::move(salt)) {}

  Napi::Promise start() {
    const Napi::Promise promise = deferred_.Promise();
    Queue();
    return promise;
  }

 protected:
  void Execute() override {
    try {
      std::promise<bool> done;
      engine_->call([&](KvCache* cache) {
        try {
          if (cache != nullptr) outcome_ = cache->import_state(std::move(state_), salt_);
          done.set_value(cache != nullptr);
        } catch (...) {
          done.set_exception(std::current_exception());
        }
      });
      if (!done.get_future().get()) failure_ = engine_closed();
    } catch (...) {
      failure_ = failure_of(std::current_exception(), kRestoring, ErrorCode::kEngineBroken);
    }
  }

  void OnOK() override {
    if (failure_) return reject(deferred_, *failure_);
    settle(deferred_, kRestoring, ErrorCode::kEngineBroken,
           [&] { return Napi::String::New(Env(), name_of(outcome_)); });
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<Engine> engine_;
  CachedState state_;
  std::string salt_;
  StateImport outcome_ = StateImport::kKept;
  std::optional<Failure> failure_;
};

}  // namespace

Napi::Value state_to(Napi::Env env, const CachedState& state) {
  try {
    Napi::Object object = Napi::Object::New(env);
    Napi::Int32Array tokens = Napi::Int32Array::New(env, state.tokens.size());
    std::copy(state.tokens.begin(), state.tokens.end(), tokens.Data());
    object.Set("tokens", tokens);
    object.Set("state",
               Napi::Buffer<std::uint8_t>::Copy(env, state.state.data(), state.state.size()));
    return object;
  } catch (const Napi::Error&) {
    return env.Undefined();
  }
}

Napi::Promise import_state(Napi::Env env, std::shared_ptr<Engine> engine,
                           const Napi::Object& object) {
  const auto tokens = object.Get("tokens").As<Napi::Int32Array>();
  const auto bytes = object.Get("state").As<Napi::Uint8Array>();
  CachedState state{{tokens.Data(), tokens.Data() + tokens.ElementLength()},
                    {bytes.Data(), bytes.Data() + bytes.ElementLength()}};
  const std::string salt = object.Get("cacheSalt").As<Napi::String>().Utf8Value();
  auto* worker = new ImportStateWorker(env, std::move(engine), std::move(state),
                                       cache_key(salt, adapters_from(object.Get("loras"))));
  return worker->start();
}

}  // namespace infernode
