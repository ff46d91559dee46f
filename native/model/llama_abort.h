// llama.cpp's aborts. ggml has one abort callback for the process; whether an abort throws is
// decided per thread. Any thread may call these functions.
#pragma once

#include <stdexcept>

namespace infernode {

// Makes ggml's aborts throw where a LlamaAbortGuard exists, and log their reason elsewhere. Called
// once, by start_llama_runtime().
void install_llama_abort();

// A GGML_ASSERT or GGML_ABORT converted to an exception.
class LlamaAborted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// While it exists, ggml's abort on the current thread throws LlamaAborted instead of ending the
// process. Only for calls whose C++ frames clean up after themselves and that abort on this thread:
// loading a model or an adapter, creating a context, quantizing, measuring matrices, restoring a
// state, and passes on devices, whose context is then never used again. An abort on a thread of
// ggml still ends the process. A safety net below the rules on headers, not a substitute: a
// division by zero still kills the process.
class LlamaAbortGuard {
 public:
  LlamaAbortGuard();
  ~LlamaAbortGuard();
  LlamaAbortGuard(const LlamaAbortGuard&) = delete;
  LlamaAbortGuard& operator=(const LlamaAbortGuard&) = delete;
};

}  // namespace infernode
