// The base of work that JavaScript may cancel and follow: loading, packing and quantizing a
// model on a libuv worker. start() answers {promise, cancel}; the environment's end cancels,
// too. Made and started on the JavaScript thread; owned by the environment once started.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "core/types.h"
#include "napi/progress_reporter.h"

namespace infernode {

// What errors of the C++ library are called in the rejection.
struct WorkerSentences {
  std::string out_of_memory;  // whole: "There is too little memory to load the model."
  std::string failed;         // the reason follows: "The model could not be loaded"
};

class CancellableWorker : public Napi::AsyncWorker {
 public:
  // Starts the work. {promise, cancel}: the promise of result(), rejected with an error that has
  // a code, or with what the progress listener throws at its last call.
  Napi::Object start();

 protected:
  // `name` is what Node's diagnostics show. `listener`: see ProgressReporter.
  CancellableWorker(Napi::Env env, const char* name, WorkerSentences sentences,
                    const Napi::Value& listener);

  // Worker's thread. Ends soon after `cancelled` is true, by Error(kCancelled). May throw.
  virtual void work(const std::atomic<bool>& cancelled) = 0;
  // JavaScript thread, after work() has returned.
  virtual Napi::Value result(Napi::Env env) = 0;

  // Worker's thread. Fraction 0..1.
  void report(float fraction) { progress_.report(fraction); }

 private:
  void Execute() final;
  void OnOK() final;

  WorkerSentences sentences_;
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  Napi::Promise::Deferred deferred_;
  ProgressReporter progress_;
  std::optional<Failure> failure_;
};

}  // namespace infernode
