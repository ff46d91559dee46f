// Calls JavaScript functions whose result is not awaited. Node drops an exception thrown in the
// callback of a thread-safe function, with a deprecation warning at most; here it becomes an
// 'uncaughtException' of the process or worker, which ends it unless there is a listener.
// JavaScript thread only.
#pragma once

#include <napi.h>

#include <exception>

#include "core/failures.h"
#include "napi/convert.h"

namespace infernode {

template <typename Work>
void call_reporting(Napi::Env env, const Work& work) {
  try {
    work();
  } catch (const Napi::Error& error) {
    napi_fatal_exception(env, error.Value());
  } catch (...) {
    const Failure failure = failure_of(std::current_exception(),
                                       {.out_of_memory = "There was no memory to call JavaScript.",
                                        .failed = "JavaScript could not be called"},
                                       ErrorCode::kEngineBroken);
    when_memory_allows([&] { napi_fatal_exception(env, error_to(env, failure).Value()); });
  }
}

}  // namespace infernode
