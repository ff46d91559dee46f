// llama.cpp's process-wide state: the loaded backends, their devices, the sink of log lines, and
// the division of cores among engines. Started once, never unloaded (ggml cannot be unloaded
// safely), shared by every Node environment of the process. Backends are loaded from one folder by
// explicit path; nothing is searched for. Any thread may call these functions; one mutex guards the
// start, another the sink.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "model/cpu_cores.h"

namespace infernode {

enum class DeviceType { kCpu, kGpu, kIntegratedGpu, kAccelerator };

struct DeviceInfo {
  std::string name;
  std::string backend;  // "CUDA", "Vulkan", "CPU"
  std::string description;
  DeviceType type = DeviceType::kCpu;
  bool splits_rows = false;  // its backend has a buffer type for SplitMode::kRow
  std::uint64_t memory_total = 0;
  std::uint64_t memory_free = 0;
};

// A backend's file, and whether it was loaded.
struct BackendReport {
  std::string path;
  std::string backend;  // "cuda", "cpu-zen4"
  bool loaded = false;
  std::size_t devices = 0;  // number of devices it offers
  std::string problem;      // why it is not loaded or offers no device; "" if it is usable
};

// A backend's file that must not be loaded, and why.
struct RefusedBackend {
  std::string path;
  std::string reason;
};

// Level 1 debug, 2 info, 3 warning, 4 error; `text` is one line without its newline. Called on
// whichever thread logs, including llama.cpp's own: it must be quick, and must not throw, call
// JavaScript or log.
using LogSink = std::function<void(int level, std::string_view text)>;

// Loads every backend in `backend_folder` and those in `backend_files`, except those in `refused`,
// and initialises llama.cpp. The first call counts; later ones return at once. Throws
// Error(kModelLoadFailed) if the folder has no CPU backend; may then be called again. The reason
// why another backend was not loaded is logged and kept: llama_backends().
void start_llama_runtime(const std::string& backend_folder,
                         const std::vector<std::string>& backend_files = {},
                         const std::vector<RefusedBackend>& refused = {});

// Every backend file seen by the start, GPU backends first; empty before the start.
std::vector<BackendReport> llama_backends();

// All devices of the loaded backends, CPU first; empty before the start.
std::vector<DeviceInfo> llama_devices();

// CPU features that the loaded CPU backend was built for and uses, e.g. "AVX2".
std::vector<std::string> llama_cpu_features();

// infernode's routines (native/cpu) that the loaded CPU backend uses in place of ggml's.
std::vector<std::string> llama_cpu_kernels();

// Replaces the sink; an empty one drops lines. When this returns, the old sink is not running and
// will not be called again. May be called before the start; the first sink after it receives the
// lines logged during the start.
void set_llama_log_sink(LogSink sink);

// Logs a line of infernode's own through the same sink.
void log_line(int level, std::string_view text);

// The cores that all engines of the process share: as many as the process may use at present.
CpuCores& cpu_cores();

// While it exists, collects the error lines that the current thread logs: the reason of a failed
// load. One at a time per thread.
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

// While it exists, receives the lines that llama.cpp logs on the current thread, whole or in the
// pieces they are logged in, before any sink does. An exception thrown by it unwinds through
// llama.cpp's frames: this is how a call without a cancel callback is cancelled. Only for calls
// whose C++ frames clean up after themselves and do not swallow exceptions. One at a time per
// thread.
class LlamaLogWatch {
 public:
  explicit LlamaLogWatch(LogSink listener);
  ~LlamaLogWatch();
  LlamaLogWatch(const LlamaLogWatch&) = delete;
  LlamaLogWatch& operator=(const LlamaLogWatch&) = delete;

  void hear(int level, std::string_view text) const { listener_(level, text); }

 private:
  LogSink listener_;
};

// Whether one of these error lines reports a lack of memory, in llama.cpp's words or the standard
// library's; later lines may describe only its consequences.
[[nodiscard]] bool tell_of_memory(std::span<const std::string> errors);

// While it exists, the current thread's lines reach no sink: for work that the user did not ask
// for.
class LlamaLogMute {
 public:
  LlamaLogMute();
  ~LlamaLogMute();
  LlamaLogMute(const LlamaLogMute&) = delete;
  LlamaLogMute& operator=(const LlamaLogMute&) = delete;
};

// A GGML_ASSERT or GGML_ABORT converted to an exception.
class LlamaAborted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// While it exists, ggml's abort on the current thread throws LlamaAborted instead of ending the
// process. Only for calls whose C++ frames clean up after themselves and that run on this thread
// alone: loading a model, creating a context. A safety net below the rules on headers, not a
// substitute: a division by zero still kills the process.
class LlamaAbortGuard {
 public:
  LlamaAbortGuard();
  ~LlamaAbortGuard();
  LlamaAbortGuard(const LlamaAbortGuard&) = delete;
  LlamaAbortGuard& operator=(const LlamaAbortGuard&) = delete;
};

}  // namespace infernode
