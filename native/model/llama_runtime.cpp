// See llama_runtime.h. The one place with process-wide state, because ggml's
// own is process-wide: its registry, its logger and its abort callback. The
// state is leaked on purpose: ggml's threads may log while the process exits.
#include "model/llama_runtime.h"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "core/types.h"
#include "ggml-backend-impl.h"
#include "ggml-backend.h"
#include "llama.h"
#include "model/host_limits.h"

namespace infernode {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "libinfernode-ggml-";
constexpr std::string_view kSuffix = "-" INFERNODE_LLAMA_PIN ".so";

double steady_milliseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

struct Runtime {
  std::mutex start_mutex;
  bool started = false;
  std::mutex sink_mutex;
  LogSink sink;
  std::atomic<bool> has_sink{false};
  CpuCores cores{1, steady_milliseconds};
};

Runtime& runtime() {
  static Runtime& only = *new Runtime;
  return only;
}

thread_local LlamaLogCapture* capture_of_thread = nullptr;
thread_local int abort_guards_of_thread = 0;
thread_local int log_mutes_of_thread = 0;

// A line being put together from pieces: llama.cpp logs some lines in parts.
struct PendingLine {
  int level = 0;
  std::string text;
};
thread_local PendingLine pending_of_thread;

void deliver(int level, std::string_view line) {
  if (level >= GGML_LOG_LEVEL_ERROR && capture_of_thread != nullptr) capture_of_thread->keep(line);
  if (log_mutes_of_thread > 0 || !runtime().has_sink.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(runtime().sink_mutex);
  if (runtime().sink) runtime().sink(level, line);
}

void flush_pending() {
  if (!pending_of_thread.text.empty()) deliver(pending_of_thread.level, pending_of_thread.text);
  pending_of_thread.text.clear();
}

void on_log(ggml_log_level level, const char* text, void*) {
  if (!runtime().has_sink.load(std::memory_order_relaxed) && capture_of_thread == nullptr) return;
  if (level != GGML_LOG_LEVEL_CONT) {
    flush_pending();
    pending_of_thread.level = std::clamp<int>(level, GGML_LOG_LEVEL_DEBUG, GGML_LOG_LEVEL_ERROR);
  }
  std::string_view rest = text;
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    pending_of_thread.text += rest.substr(0, end);
    flush_pending();
    rest.remove_prefix(end + 1);
  }
  pending_of_thread.text += rest;
}

// "/where/it/was/built/x.cpp:12: why" without the folders.
std::string without_folders(std::string_view message) {
  const std::size_t place_end = message.find(": ");
  const std::size_t slash = message.substr(0, place_end).rfind('/');
  return std::string(slash == std::string_view::npos ? message : message.substr(slash + 1));
}

// ggml_abort() calls this and then abort(). Throwing leaves through ggml_abort's
// C frame, which has unwind tables and nothing to clean up.
void on_abort(const char* message) {
  if (abort_guards_of_thread > 0) throw LlamaAborted(without_folders(message));
  std::fprintf(stderr, "infernode: llama.cpp ends the process: %s\n", message);
}

// "cuda" for ".../libinfernode-ggml-cuda-<pin>.so", "" for any other file.
std::string backend_name(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return "";
  if (name.size() <= kPrefix.size() + kSuffix.size()) return "";
  const std::string backend =
      name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  return backend == "base" ? "" : backend;
}

bool is_cpu(const std::string& backend) { return backend == "cpu" || backend.starts_with("cpu-"); }

// How well a CPU variant fits this machine: 0 not at all; the one without a
// score function fits every machine and is the last resort.
int cpu_score(const fs::path& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return 0;
  const auto score = reinterpret_cast<ggml_backend_score_t>(dlsym(library, "ggml_backend_score"));
  int result = 1;
  if (score != nullptr) {
    const int measured = score();
    result = measured > 0 ? measured + 1 : 0;
  }
  dlclose(library);
  return result;
}

struct FoundBackends {
  std::vector<fs::path> others;  // GPU and accelerators, by name
  fs::path cpu;                  // the best variant; empty where none fits
};

FoundBackends find_backends(const std::string& folder) {
  FoundBackends found;
  std::vector<fs::path> cpus;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = backend_name(entry.path());
    if (name.empty()) continue;
    (is_cpu(name) ? cpus : found.others).push_back(entry.path());
  }
  std::ranges::sort(cpus);
  std::ranges::sort(found.others);
  int best = 0;
  for (const fs::path& path : cpus) {
    const int score = cpu_score(path);
    if (score > best) best = score, found.cpu = path;
  }
  return found;
}

DeviceType type_of(ggml_backend_dev_t device) {
  switch (ggml_backend_dev_type(device)) {
    case GGML_BACKEND_DEVICE_TYPE_CPU:
      return DeviceType::kCpu;
    case GGML_BACKEND_DEVICE_TYPE_IGPU:
      return DeviceType::kIntegratedGpu;
    case GGML_BACKEND_DEVICE_TYPE_ACCEL:
      return DeviceType::kAccelerator;
    default:
      return DeviceType::kGpu;
  }
}

}  // namespace

void start_llama_runtime(const std::string& backend_folder) {
  const std::lock_guard lock(runtime().start_mutex);
  if (runtime().started) return;
  // Otherwise ggml forks a debugger before it aborts.
  setenv("GGML_NO_BACKTRACE", "1", 0);
  llama_log_set(on_log, nullptr);
  ggml_set_abort_callback(on_abort);
  const FoundBackends found = find_backends(backend_folder);
  if (found.cpu.empty()) {
    throw Error(ErrorCode::kModelLoadFailed,
                "No CPU backend fits this machine in '" + backend_folder + "', expected " +
                    std::string(kPrefix) + "cpu*" + std::string(kSuffix) +
                    "; reinstall or rebuild the package.");
  }
  // A GPU backend whose driver is missing does not load; its line is in the log.
  for (const fs::path& path : found.others) ggml_backend_load(path.c_str());
  LlamaLogCapture capture;
  if (ggml_backend_load(found.cpu.c_str()) == nullptr) {
    throw Error(ErrorCode::kModelLoadFailed,
                "The CPU backend '" + found.cpu.string() + "' does not load: " +
                    (capture.errors().empty() ? "no reason given" : capture.errors().back()) +
                    "; reinstall or rebuild the package.");
  }
  llama_backend_init();
  runtime().started = true;
}

std::vector<DeviceInfo> llama_devices() {
  const std::lock_guard lock(runtime().start_mutex);
  std::vector<DeviceInfo> devices;
  if (!runtime().started) return devices;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    DeviceInfo info;
    info.name = ggml_backend_dev_name(device);
    info.description = ggml_backend_dev_description(device);
    info.type = type_of(device);
    std::size_t free = 0, total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    info.memory_free = free;
    info.memory_total = total;
    devices.push_back(std::move(info));
  }
  std::ranges::stable_sort(devices, {},
                           [](const DeviceInfo& d) { return d.type != DeviceType::kCpu; });
  return devices;
}

std::vector<std::string> llama_cpu_features() {
  std::vector<std::string> names;
  const std::lock_guard lock(runtime().start_mutex);
  if (!runtime().started) return names;
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (cpu == nullptr) return names;
  const auto features =
      reinterpret_cast<ggml_backend_get_features_t>(ggml_backend_reg_get_proc_address(
          ggml_backend_dev_backend_reg(cpu), "ggml_backend_get_features"));
  if (features == nullptr) return names;
  for (const ggml_backend_feature* feature = features(ggml_backend_dev_backend_reg(cpu));
       feature->name != nullptr; ++feature) {
    if (std::string_view(feature->value) == "1") names.emplace_back(feature->name);
  }
  return names;
}

void set_llama_log_sink(LogSink sink) {
  const std::lock_guard lock(runtime().sink_mutex);
  runtime().sink = std::move(sink);
  runtime().has_sink.store(static_cast<bool>(runtime().sink), std::memory_order_relaxed);
}

void log_line(int level, std::string_view text) { deliver(level, text); }

CpuCores& cpu_cores() {
  runtime().cores.set_count(usable_cpus());
  return runtime().cores;
}

LlamaLogCapture::LlamaLogCapture() { capture_of_thread = this; }
LlamaLogCapture::~LlamaLogCapture() { capture_of_thread = nullptr; }

LlamaLogMute::LlamaLogMute() { ++log_mutes_of_thread; }
LlamaLogMute::~LlamaLogMute() { --log_mutes_of_thread; }

LlamaAbortGuard::LlamaAbortGuard() { ++abort_guards_of_thread; }
LlamaAbortGuard::~LlamaAbortGuard() { --abort_guards_of_thread; }

}  // namespace infernode
