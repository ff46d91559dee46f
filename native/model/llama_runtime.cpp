// The state is process-wide, because ggml's registry of backends is.
#include "model/llama_runtime.h"

#include <dlfcn.h>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>

#include "core/types.h"
#include "ggml-backend-impl.h"
#include "ggml-backend.h"
#include "llama.h"
#include "model/backend_files.h"
#include "model/cuda_libraries.h"
#include "model/llama_abort.h"
#include "model/llama_log.h"

namespace infernode {

namespace {

constexpr std::string_view kPin = INFERNODE_LLAMA_PIN;

struct Runtime {
  std::mutex start_mutex;
  bool started = false;
  std::vector<BackendReport> backends;
};

Runtime& runtime() {
  static Runtime& only = *new Runtime;
  return only;
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

}  // namespace

void start_llama_runtime(const std::string& backend_folder,
                         const std::vector<std::string>& backend_files,
                         const std::vector<RefusedBackend>& refused) {
  const std::lock_guard lock(runtime().start_mutex);
  if (runtime().started) return;
  install_llama_log();
  install_llama_abort();
  const KeptLogLines kept;
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

bool llama_runtime_started() {
  const std::lock_guard lock(runtime().start_mutex);
  return runtime().started;
}

std::vector<BackendReport> llama_backends() {
  const std::lock_guard lock(runtime().start_mutex);
  return runtime().backends;
}

}  // namespace infernode
