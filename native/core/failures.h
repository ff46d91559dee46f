// Failures that several modules report: refusals by the engine, exceptions translated to error
// codes, and retries so that a request's end is published even while memory is short. Stateless;
// any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <thread>

#include "types.h"

namespace infernode {

constexpr std::string_view kRequestOutOfMemory =
    "There was no memory for this request; others are not affected.";

Failure engine_closed();
Failure queue_full(std::size_t limit);

// The sentences for exceptions that are not an Error.
struct FailureSentences {
  std::string_view out_of_memory;  // a whole one: "There is too little memory to load the model."
  std::string_view failed;         // the reason is appended: "The model could not be loaded"
};

// An Error's own code and sentence; kOutOfMemory where memory ran out; `otherwise` for the rest.
// Waits for the memory that the sentence takes.
Failure failure_of(const std::exception_ptr& cause, const FailureSentences& sentences,
                   ErrorCode otherwise) noexcept;
// The code for an errno of writing a file.
[[nodiscard]] ErrorCode write_failure(int error);
// Part of a sentence: what the exception says of itself.
std::string reason_of(const std::exception_ptr& cause);

// Between two tries of what there was no memory for.
inline void pause_for_memory() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

// Calls `work` until it does not throw. For the ends of requests, which must be published even if
// there is no memory at first: `work` continues where it stopped, and throws for no other lasting
// reason.
template <typename Work>
void until_done(const Work& work) noexcept {
  while (true) {
    try {
      return work();
    } catch (...) {
      pause_for_memory();
    }
  }
}

// Calls `work` until it does not throw std::bad_alloc, and returns what it returns; it may throw
// anything else. For what must be published even if there is no memory at first.
template <typename Work>
auto when_memory_allows(const Work& work) {
  while (true) {
    try {
      return work();
    } catch (const std::bad_alloc&) {
      pause_for_memory();
    }
  }
}

}  // namespace infernode
