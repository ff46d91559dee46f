#include "napi/cancellable_worker.h"

#include <exception>

#include "napi/addon_data.h"
#include "napi/settle.h"

namespace infernode {

CancellableWorker::CancellableWorker(Napi::Env env, const char* name, FailureSentences sentences,
                                     const Napi::Value& listener)
    : AsyncWorker(env, name),
      sentences_(sentences),
      deferred_(Napi::Promise::Deferred::New(env)),
      progress_(env, listener) {}

Napi::Object CancellableWorker::start() {
  const Napi::Env env = Env();
  AddonData::of(env).loads.insert(cancelled_);
  Napi::Object running = Napi::Object::New(env);
  running.Set("promise", deferred_.Promise());
  running.Set("cancel",
              Napi::Function::New(env, [cancelled = cancelled_](const Napi::CallbackInfo&) {
                cancelled->store(true);
              }));
  Queue();
  return running;
}

void CancellableWorker::Execute() {
  try {
    work(*cancelled_);
  } catch (...) {
    failure_ = failure_of(std::current_exception(), sentences_, ErrorCode::kModelLoadFailed);
  }
  progress_.release();
}

void CancellableWorker::OnOK() {
  const Napi::Env env = Env();
  AddonData::of(env).loads.erase(cancelled_);
  if (failure_) return reject(deferred_, *failure_);
  settle(deferred_, sentences_, ErrorCode::kModelLoadFailed, [&] {
    const Napi::Value value = result(env);
    progress_.finish(env);  // may throw what the listener throws
    return value;
  });
}

}  // namespace infernode
