// Settles a promise whatever is thrown: what AsyncWorker::OnOK throws is lost, and the promise
// would stay pending for ever. JavaScript thread only.
#pragma once

#include <napi.h>

#include <exception>

#include "core/failures.h"
#include "napi/convert.h"

namespace infernode {

inline void reject(const Napi::Promise::Deferred& deferred, const Failure& failure) {
  when_memory_allows([&] { deferred.Reject(error_to(deferred.Env(), failure).Value()); });
}

// Resolves with what `value` returns, or rejects with what it throws: what JavaScript threw as it
// is, anything else as failure_of() has it.
template <typename Work>
void settle(const Napi::Promise::Deferred& deferred, const FailureSentences& sentences,
            ErrorCode otherwise, const Work& value) {
  try {
    deferred.Resolve(value());
  } catch (const Napi::Error& thrown) {
    deferred.Reject(thrown.Value());
  } catch (...) {
    reject(deferred, failure_of(std::current_exception(), sentences, otherwise));
  }
}

}  // namespace infernode
