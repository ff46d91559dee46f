// process.exit() and an uncaught exception destroy static objects while other
// threads still run. This is the list of what must stop first: each
// environment's 'exit' event stops its own engines, and one std::atexit
// handler stops what is left where no event is emitted (process.reallyExit).
// Any thread may call but listen(), which is the JavaScript thread's.
#pragma once

#include <napi.h>

#include <functional>

namespace infernode {

class ExitGuard {
 public:
  // Stops `env`'s engines when its process object emits 'exit'.
  static void listen(Napi::Env env);
  // `stop` runs once at the exit of `env` or of the process. The first call
  // registers the std::atexit handler, by then after llama.cpp has created
  // its static objects, so that it runs before their destructors.
  static void remember(napi_env env, const void* owner, std::function<void()> stop);
  // When this returns, `stop` is not running and will not be called.
  static void forget(const void* owner);
};

}  // namespace infernode
