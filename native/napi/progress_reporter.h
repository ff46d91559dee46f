// Calls a JavaScript progress listener from a worker's thread. finish() makes the last report, 1,
// on the JavaScript thread, so that it comes before the promise resolves and no report follows it.
// One per worker.
#pragma once

#include <napi.h>

#include <memory>

namespace infernode {

class ProgressReporter {
 public:
  // Nothing is reported if `listener` is not a function.
  ProgressReporter(Napi::Env env, const Napi::Value& listener) {
    if (!listener.IsFunction()) return;
    listener_ = Napi::Persistent(listener.As<Napi::Function>());
    function_ = Napi::ThreadSafeFunction::New(env, listener_.Value(), "infernode progress", 0, 1);
  }

  // Worker's thread.
  void report(float fraction) {
    if (!function_ || fraction >= 1.0f || fraction < reported_ + kStep) return;
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
  // At most 1 / kStep reports reach a listener; llama.cpp makes one per tensor.
  static constexpr float kStep = 0.02f;

  Napi::FunctionReference listener_;
  Napi::ThreadSafeFunction function_;
  float reported_ = -1.0f;  // worker's thread
  // Accessed on the JavaScript thread only.
  std::shared_ptr<bool> finished_ = std::make_shared<bool>(false);
};

}  // namespace infernode
