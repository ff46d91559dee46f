// llama.cpp's process-wide state: which backends are loaded, which devices
// they offer, where log lines go, which engine computes on which cores. Started once, never
// unloaded (ggml cannot be unloaded safely), shared by every environment of the process. Backends
// come from one folder by explicit path; nothing is searched for. Any thread may call these; one
// mutex guards the start, another the sink.
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
  bool splits_rows = false;  // its backend has a buffer for SplitMode::kRow
  std::uint64_t memory_total = 0;
  std::uint64_t memory_free = 0;
};

// A backend's file, and what became of it.
struct BackendReport {
  std::string path;
  std::string backend;  // "cuda", "cpu-zen4"
  bool loaded = false;
  std::size_t devices = 0;  // that it offers
  std::string problem;      // why it is not loaded, or offers none; "": it is of use
};

// A backend's file that is not to be loaded, and why.
struct RefusedBackend {
  std::string path;
  std::string reason;
};

// Level 1 debug, 2 info, 3 warning, 4 error; `text` is one line without its
// newline. Called on whatever thread logs, llama.cpp's own included: it must
// be quick, must not throw, must not call JavaScript or log.
using LogSink = std::function<void(int level, std::string_view text)>;

// Loads every backend lying in `backend_folder` and those of `backend_files`, but for those of
// `refused`, and initialises llama.cpp. The first call counts; later ones return at once. Throws
// Error(kModelLoadFailed) where the folder offers no CPU backend; may then be
// called again. What keeps another backend from loading is logged and kept: llama_backends().
void start_llama_runtime(const std::string& backend_folder,
                         const std::vector<std::string>& backend_files = {},
                         const std::vector<RefusedBackend>& refused = {});

// Every backend's file that the start has seen, GPUs' first; none before the start.
std::vector<BackendReport> llama_backends();

// All devices of the loaded backends, CPU first; empty before the start.
std::vector<DeviceInfo> llama_devices();

// CPU features the CPU backend was built for and uses, e.g. "AVX2".
std::vector<std::string> llama_cpu_features();

// Routines of ours (native/cpu) that the loaded CPU backend has in place of ggml's.
std::vector<std::string> llama_cpu_kernels();

// Replaces the sink; an empty one drops lines. When this returns, the old
// sink is not running and will not be called again. Works before the start; the
// first sink after it gets the lines of the start.
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

// While it lives, hears the lines that llama.cpp logs on the current thread, whole or in the
// parts it logs them in, before any sink does. What it throws leaves through llama.cpp's
// frames: how a call without a cancel callback is cancelled. Only for calls whose C++ frames
// clean up and that catch exceptions. One at a time per thread.
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

// Whether any of these error lines says that memory was short, in llama.cpp's words or the
// standard library's: what failed next may be said in other words.
[[nodiscard]] bool tell_of_memory(std::span<const std::string> errors);

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
