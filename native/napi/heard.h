// Calls of JavaScript functions that nobody awaits. Node drops what is thrown in the callback of
// a thread-safe function, with a deprecation warning at most; here it becomes an
// 'uncaughtException' of the process or worker, which ends it unless somebody listens.
// JavaScript thread only.
#pragma once

#include <napi.h>

namespace infernode {

template <typename Work>
void call_heard(Napi::Env env, const Work& work) {
  try {
    work();
  } catch (const Napi::Error& error) {
    napi_fatal_exception(env, error.Value());
  }
}

}  // namespace infernode
