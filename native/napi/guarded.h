// What JavaScript calls of the addon, without a C++ exception that crosses the boundary:
// node-addon-api would make an Error without a code of it. What JavaScript itself threw passes as
// it is. JavaScript thread only.
#pragma once

#include <napi.h>

#include <cstddef>
#include <exception>
#include <new>

#include "core/failures.h"
#include "napi/convert.h"

namespace infernode {

// Calls `work`, and throws what it throws as an error with a code.
template <typename Work>
auto with_codes(Napi::Env env, const Work& work) {
  constexpr FailureSentences kCalling = {
      .out_of_memory =
          "There was no memory for this call; try again when other work has ended, or "
          "use a host with more.",
      .failed = "The native addon failed"};
  try {
    return work();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    const Failure failure =
        failure_of(std::current_exception(), kCalling, ErrorCode::kEngineBroken);
    throw when_memory_allows([&] { return error_to(env, failure); });
  }
}

// An exported function.
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  return with_codes(info.Env(), [&] { return function(info); });
}

// Base class of wrapped objects, which node-addon-api allocates inside a callback of its own: waits
// for their few bytes instead of failing there.
struct WaitsForMemory {
  static void* operator new(std::size_t bytes) {
    return when_memory_allows([&] { return ::operator new(bytes); });
  }
  static void operator delete(void* object) { ::operator delete(object); }
};

}  // namespace infernode
