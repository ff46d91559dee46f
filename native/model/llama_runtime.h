// llama.cpp's process-wide state: which backends are loaded, which devices
// they offer, where log lines go, which engine computes on which cores. Started once, never
// unloaded (ggml cannot be unloaded safely), shared by every environment of the process. Backends
// come from one folder by explicit path; nothing is searched for. Any thread may call these; one
// mutex guards the start, another the sink.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "model/cpu_cores.h"

namespace infernode {

enum class DeviceType { kCpu, kGpu, kIntegratedGpu, kAccelerator };

struct DeviceInfo {
  std::string name;
  std::string description;
  DeviceType type = DeviceType::kCpu;
  std::uint64_t memory_total = 0;
  std::uint64_t memory_free = 0;
};

// Level 1 debug, 2 info, 3 warning, 4 error; `text` is one line without its
// newline. Called on whatever thread logs, llama.cpp's own included: it must
// be quick, must not throw, must not call JavaScript or log.
using LogSink = std::function<void(int level, std::string_view text)>;

// Loads every backend lying in `backend_folder` and initialises llama.cpp. The
// first call counts; later ones return at once. Throws
// Error(kModelLoadFailed) where the folder offers no CPU backend; may then be
// called again.
void start_llama_runtime(const std::string& backend_folder);

// All devices of the loaded backends, CPU first; empty before the start.
std::vector<DeviceInfo> llama_devices();

// CPU features the CPU backend was built for and uses, e.g. "AVX2".
std::vector<std::string> llama_cpu_features();

// Replaces the sink; an empty one drops lines. When this returns, the old
// sink is not running and will not be called again. Works before the start.
void set_llama_log_sink(LogSink sink);

// A line of our own beside llama.cpp's.
void log_line(int level, std::string_view text);

// The cores all engines of the process share; as many as it may use at the moment.
CpuCores& cpu_cores();

// While it lives, keeps the error lines the current thread logs: how a failed
// load tells its reason. One at a time per thread.
class LlamaLogCapture {
 public:
  LlamaLogCapture();
  ~LlamaLogCapture();
  LlamaLogCapture(const LlamaLogCapture&) = delete;
  LlamaLogCapture& operator=(const LlamaLogCapture&) = delete;

  const std::vector<std::string>& errors() const { return errors_; }
  void keep(std::string_view error) { errors_.emplace_back(error); }

 private:
  std::vector<std::string> errors_;
};

// While it lives, the current thread's lines reach no sink: for what a user did not ask for.
class LlamaLogMute {
 public:
  LlamaLogMute();
  ~LlamaLogMute();
  LlamaLogMute(const LlamaLogMute&) = delete;
  LlamaLogMute& operator=(const LlamaLogMute&) = delete;
};

// A GGML_ASSERT or GGML_ABORT that became an exception.
class LlamaAborted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// While it lives, ggml's abort on the current thread throws LlamaAborted
// instead of ending the process. Only for calls whose C++ frames clean up
// after themselves and that run on this thread alone: loading a model, making
// a context. A net below the rules on headers, no substitute for them: a
// division by zero still kills.
class LlamaAbortGuard {
 public:
  LlamaAbortGuard();
  ~LlamaAbortGuard();
  LlamaAbortGuard(const LlamaAbortGuard&) = delete;
  LlamaAbortGuard& operator=(const LlamaAbortGuard&) = delete;
};

}  // namespace infernode
