// process.exit() and uncaught exceptions destroy static objects while other threads still run. This
// is the registry of engines that must stop first: each environment's 'exit' event stops its own,
// and one std::atexit handler stops the remaining ones where no event is emitted
// (process.reallyExit). Any thread may call everything except listen(), which is for the JavaScript
// thread.
#pragma once

#include <napi.h>

#include <functional>

namespace infernode {

class ExitGuard {
 public:
  // Stops `env`'s engines when its process object emits 'exit'.
  static void listen(Napi::Env env);
  // `stop` runs at the exit of `env` and again at that of the process, so it must be idempotent; it
  // may run on whichever thread exits. The first call registers the
  // std::atexit handler, at a time when llama.cpp has created its static objects, so that the
  // handler runs before their destructors.
  static void remember(napi_env env, const void* owner, std::function<void()> stop);
  // When this returns, `stop` is not running and will not be called.
  static void forget(const void* owner);
};

}  // namespace infernode
