// See llama_runtime.h. The one file with process-wide state, because ggml's own is process-wide:
// its registry, its logger and its abort callback. The state is leaked on purpose: ggml's threads
// may log while the process exits.
#include "model/llama_runtime.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <sstream>
#include <utility>

#include "core/types.h"
#include "ggml-backend-impl.h"
#include "ggml-backend.h"
#include "llama.h"
#include "model/backend_files.h"
#include "model/cuda_libraries.h"
#include "model/host_limits.h"

namespace infernode {

namespace {

constexpr std::string_view kPin = INFERNODE_LLAMA_PIN;

double steady_milliseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

struct Runtime {
  std::mutex start_mutex;
  bool started = false;
  std::vector<BackendReport> backends;
  std::mutex sink_mutex;
  LogSink sink;
  std::vector<std::pair<int, std::string>> lines_of_start;  // until a sink receives them
  std::atomic<bool> has_sink{false};
  CpuCores cores{1, steady_milliseconds};
};

Runtime& runtime() {
  static Runtime& only = *new Runtime;
  return only;
}

thread_local LlamaLogCapture* capture_of_thread = nullptr;
thread_local const LlamaLogWatch* watch_of_thread = nullptr;
thread_local int abort_guards_of_thread = 0;
thread_local int log_mutes_of_thread = 0;

// A line assembled from pieces: llama.cpp logs some lines in parts.
struct PendingLine {
  int level = 0;
  std::string text;
};
thread_local PendingLine pending_of_thread;

void deliver(int level, std::string_view line) {
  if (watch_of_thread != nullptr) watch_of_thread->hear(level, line);
  if (level >= GGML_LOG_LEVEL_ERROR && capture_of_thread != nullptr) capture_of_thread->keep(line);
  if (log_mutes_of_thread > 0 || !runtime().has_sink.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(runtime().sink_mutex);
  if (runtime().sink) runtime().sink(level, line);
}

void flush_pending() {
  // Removed first, since a watch may throw.
  const std::string line = std::exchange(pending_of_thread.text, {});
  if (!line.empty()) deliver(pending_of_thread.level, line);
}

void on_log(ggml_log_level level, const char* text, void*) {
  const bool heard = capture_of_thread != nullptr || watch_of_thread != nullptr;
  if (!heard && !runtime().has_sink.load(std::memory_order_relaxed)) return;
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

// How well a CPU variant fits this machine: 0 means it cannot run here; the one without a score
// function runs on every machine and is the last resort.
int cpu_score(const std::string& path) {
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

// The best variant for this machine; its report has no problem. Null if none can run here.
const BackendReport* judge_cpus(std::vector<BackendReport>& cpus) {
  BackendReport* best = nullptr;
  int best_score = 0;
  for (BackendReport& cpu : cpus) {
    if (!cpu.problem.empty()) continue;
    const int score = cpu_score(cpu.path);
    if (score == 0) cpu.problem = "this CPU lacks instructions that it was compiled for";
    if (score > best_score) best_score = score, best = &cpu;
  }
  for (BackendReport& cpu : cpus) {
    if (&cpu != best && cpu.problem.empty()) cpu.problem = best->backend + " fits this CPU better";
  }
  return best;
}

std::string wrong_pin(const BackendFile& file) {
  return "it was built for the llama.cpp of tree " + file.pin + ", and this addon's is " +
         std::string(kPin);
}

BackendReport report_on(const BackendFile& file, const std::vector<RefusedBackend>& refused) {
  BackendReport report;
  report.path = file.path;
  report.backend = file.backend;
  if (file.pin != kPin) report.problem = wrong_pin(file);
  for (const RefusedBackend& each : refused) {
    if (each.path == file.path) report.problem = each.reason;
  }
  return report;
}

// ggml's last error line, without the name of the function that wrote it.
std::string reason_of(const LlamaLogCapture& capture, std::string otherwise) {
  if (capture.errors().empty()) return otherwise;
  const std::string& line = capture.errors().back();
  const std::size_t end = line.find(": ");
  const bool named = end != std::string::npos && line.find(' ') > end;
  return named ? line.substr(end + 2) : line;
}

// Whether to load a GPU backend: unless something is known that keeps it from working.
void load_backend(BackendReport& report) {
  if (report.problem.empty()) report.problem = open_cuda_libraries(report.path);
  if (!report.problem.empty()) {
    log_line(GGML_LOG_LEVEL_WARN, report.path + " is not loaded: " + report.problem);
    return;
  }
  const LlamaLogCapture capture;
  ggml_backend_reg_t backend = ggml_backend_load(report.path.c_str());
  report.loaded = backend != nullptr;
  if (backend != nullptr) report.devices = ggml_backend_reg_dev_count(backend);
  if (report.devices > 0) return;
  report.problem =
      reason_of(capture, report.loaded ? "it finds no device" : "it does not fit this machine");
}

// While it exists, stores log lines that no sink receives: nobody can listen before the addon is
// loaded, and which backends were found is reported nowhere else.
class StartLines {
 public:
  StartLines() {
    if (runtime().has_sink.load(std::memory_order_relaxed)) return;
    keeps_ = true;
    set_llama_log_sink([](int level, std::string_view line) {
      if (level >= GGML_LOG_LEVEL_INFO) runtime().lines_of_start.emplace_back(level, line);
    });
  }
  ~StartLines() {
    if (keeps_) set_llama_log_sink({});
  }
  StartLines(const StartLines&) = delete;
  StartLines& operator=(const StartLines&) = delete;

 private:
  bool keeps_ = false;
};

void load_cpu(BackendReport& report) {
  const LlamaLogCapture capture;
  if (ggml_backend_load(report.path.c_str()) == nullptr) {
    throw Error(ErrorCode::kModelLoadFailed,
                "The CPU backend '" + report.path + "' does not load: " +
                    (capture.errors().empty() ? "no reason given" : capture.errors().back()) +
                    "; reinstall or rebuild the package.");
  }
  report.loaded = true;
  report.devices = 1;
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

void start_llama_runtime(const std::string& backend_folder,
                         const std::vector<std::string>& backend_files,
                         const std::vector<RefusedBackend>& refused) {
  const std::lock_guard lock(runtime().start_mutex);
  if (runtime().started) return;
  // Otherwise ggml forks a debugger before it aborts.
  setenv("GGML_NO_BACKTRACE", "1", 0);
  llama_log_set(on_log, nullptr);
  ggml_set_abort_callback(on_abort);
  const StartLines kept;
  std::vector<BackendReport> others, cpus;
  for (const BackendFile& file : backend_files_in(backend_folder))
    (file.is_cpu() ? cpus : others).push_back(report_on(file, refused));
  for (const std::string& path : backend_files) {
    const auto file = backend_file(path);
    others.push_back(report_on(file.value_or(BackendFile{path, "", std::string(kPin)}), refused));
  }
  const BackendReport* cpu = judge_cpus(cpus);
  if (cpu == nullptr) {
    throw Error(ErrorCode::kModelLoadFailed,
                "No CPU backend fits this machine in '" + backend_folder +
                    "', expected libinfernode-ggml-cpu*-" + std::string(kPin) +
                    ".so; reinstall or rebuild the package.");
  }
  for (BackendReport& other : others) load_backend(other);
  load_cpu(cpus[static_cast<std::size_t>(cpu - cpus.data())]);
  runtime().backends = std::move(others);
  std::ranges::move(cpus, std::back_inserter(runtime().backends));
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
    ggml_backend_reg_t backend = ggml_backend_dev_backend_reg(device);
    info.backend = ggml_backend_reg_name(backend);
    info.splits_rows =
        ggml_backend_reg_get_proc_address(backend, "ggml_backend_split_buffer_type") != nullptr;
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

std::vector<BackendReport> llama_backends() {
  const std::lock_guard lock(runtime().start_mutex);
  return runtime().backends;
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

std::vector<std::string> llama_cpu_kernels() {
  std::vector<std::string> names;
  for (const BackendReport& backend : llama_backends()) {
    if (!backend.loaded || !backend.backend.starts_with("cpu")) continue;
    void* library = dlopen(backend.path.c_str(), RTLD_NOW | RTLD_NOLOAD);
    if (library == nullptr) continue;
    const auto kernels =
        reinterpret_cast<const char* (*)()>(dlsym(library, "infernode_cpu_kernels"));
    std::istringstream lines(kernels == nullptr ? "" : kernels());
    for (std::string line; std::getline(lines, line);) names.push_back(line);
    dlclose(library);
  }
  return names;
}

void set_llama_log_sink(LogSink sink) {
  const std::lock_guard lock(runtime().sink_mutex);
  runtime().sink = std::move(sink);
  runtime().has_sink.store(static_cast<bool>(runtime().sink), std::memory_order_relaxed);
  if (!runtime().sink) return;
  for (const auto& [level, line] : std::exchange(runtime().lines_of_start, {})) {
    runtime().sink(level, line);
  }
}

void log_line(int level, std::string_view text) { deliver(level, text); }

CpuCores& cpu_cores() {
  runtime().cores.set_count(usable_cpus());
  return runtime().cores;
}

LlamaLogCapture::LlamaLogCapture() { capture_of_thread = this; }
LlamaLogCapture::~LlamaLogCapture() { capture_of_thread = nullptr; }

LlamaLogWatch::LlamaLogWatch(LogSink listener) : listener_(std::move(listener)) {
  watch_of_thread = this;
}
LlamaLogWatch::~LlamaLogWatch() { watch_of_thread = nullptr; }

bool tell_of_memory(std::span<const std::string> errors) {
  constexpr std::array<std::string_view, 7> kWords = {
      "bad_alloc",         "to allocate",           "insufficient memory",   "out of memory",
      "cudaMalloc failed", "posix_memalign failed", "Cannot allocate memory"};
  return std::ranges::any_of(errors, [&](const std::string& line) {
    return std::ranges::any_of(
        kWords, [&](std::string_view words) { return line.find(words) != std::string::npos; });
  });
}

LlamaLogMute::LlamaLogMute() { ++log_mutes_of_thread; }
LlamaLogMute::~LlamaLogMute() { --log_mutes_of_thread; }

LlamaAbortGuard::LlamaAbortGuard() { ++abort_guards_of_thread; }
LlamaAbortGuard::~LlamaAbortGuard() { --abort_guards_of_thread; }

}  // namespace infernode
