#include "model/llama_abort.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ggml.h"

namespace infernode {

namespace {

thread_local int abort_guards_of_thread = 0;

// "/build/folder/x.cpp:12: reason" without the folders.
std::string without_folders(std::string_view message) {
  const std::size_t place_end = message.find(": ");
  const std::size_t slash = message.substr(0, place_end).rfind('/');
  return std::string(slash == std::string_view::npos ? message : message.substr(slash + 1));
}

// ggml_abort() calls this and then abort(). The exception unwinds through ggml_abort's C frame,
// which has unwind tables and nothing to clean up.
void on_abort(const char* message) {
  if (abort_guards_of_thread > 0) throw LlamaAborted(without_folders(message));
  std::fprintf(stderr, "infernode: llama.cpp ends the process: %s\n", message);
}

}  // namespace

void install_llama_abort() {
  // Otherwise ggml forks a debugger before it aborts.
  setenv("GGML_NO_BACKTRACE", "1", 0);
  ggml_set_abort_callback(on_abort);
}

LlamaAbortGuard::LlamaAbortGuard() { ++abort_guards_of_thread; }
LlamaAbortGuard::~LlamaAbortGuard() { --abort_guards_of_thread; }

}  // namespace infernode
