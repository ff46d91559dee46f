// Base class of work on a libuv worker: loading, packing and quantizing a model, which report
// progress and can be cancelled, and short reads and measurements, which do neither. start()
// returns {promise, cancel}; the environment's end cancels as well. Created and started on the
// JavaScript thread; owned by the environment once started.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "core/failures.h"
#include "napi/progress_reporter.h"

namespace infernode {

class CancellableWorker : public Napi::AsyncWorker {
 public:
  // Starts the work. Returns {promise, cancel}: the promise of result(), rejected with an error
  // that has a code, or with what the progress listener throws at its last call.
  Napi::Object start();

 protected:
  // `name` is what Node's diagnostics show. `listener`: see ProgressReporter.
  CancellableWorker(Napi::Env env, const char* name, FailureSentences sentences,
                    const Napi::Value& listener);

  // Runs on the worker's thread. Work of more than a moment must return soon after `cancelled`
  // becomes true, by Error(kCancelled). May throw.
  virtual void work(const std::atomic<bool>& cancelled) = 0;
  // Runs on the JavaScript thread after work() has returned.
  virtual Napi::Value result(Napi::Env env) = 0;

  // Worker's thread. A fraction from 0 to 1.
  void report(float fraction) { progress_.report(fraction); }

 private:
  void Execute() final;
  void OnOK() final;

  FailureSentences sentences_;
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  Napi::Promise::Deferred deferred_;
  ProgressReporter progress_;
  std::optional<Failure> failure_;
};

}  // namespace infernode
