// The sink is leaked on purpose: ggml's threads may log while the process exits.
#include "model/llama_log.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <utility>

#include "llama.h"

namespace infernode {

namespace {

struct Sink {
  std::mutex mutex;
  LogSink sink;
  std::vector<std::pair<int, std::string>> kept_lines;  // until a sink receives them
  std::atomic<bool> is_set{false};
};

Sink& process_sink() {
  static Sink& only = *new Sink;
  return only;
}

thread_local LlamaLogCapture* capture_of_thread = nullptr;
thread_local const LlamaLogWatch* watch_of_thread = nullptr;
thread_local int log_mutes_of_thread = 0;

// A line assembled from pieces: llama.cpp logs some lines in parts.
struct PendingLine {
  int level = 0;
  std::string text;
};
thread_local PendingLine pending_of_thread;

void deliver(int level, std::string_view line) {
  if (watch_of_thread != nullptr) watch_of_thread->receive(level, line);
  if (level >= GGML_LOG_LEVEL_ERROR && capture_of_thread != nullptr) capture_of_thread->keep(line);
  if (log_mutes_of_thread > 0 || !process_sink().is_set.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(process_sink().mutex);
  if (process_sink().sink) process_sink().sink(level, line);
}

void flush_pending() {
  // Removed first, since a watch may throw.
  const std::string line = std::exchange(pending_of_thread.text, {});
  if (!line.empty()) deliver(pending_of_thread.level, line);
}

void on_log(ggml_log_level level, const char* text, void*) {
  const bool received = capture_of_thread != nullptr || watch_of_thread != nullptr;
  if (!received && !process_sink().is_set.load(std::memory_order_relaxed)) return;
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

}  // namespace

void install_llama_log() { llama_log_set(on_log, nullptr); }

KeptLogLines::KeptLogLines() {
  if (process_sink().is_set.load(std::memory_order_relaxed)) return;
  keeps_ = true;
  set_llama_log_sink([](int level, std::string_view line) {
    if (level >= GGML_LOG_LEVEL_INFO) process_sink().kept_lines.emplace_back(level, line);
  });
}
KeptLogLines::~KeptLogLines() {
  if (keeps_) set_llama_log_sink({});
}

void set_llama_log_sink(LogSink sink) {
  const std::lock_guard lock(process_sink().mutex);
  process_sink().sink = std::move(sink);
  process_sink().is_set.store(static_cast<bool>(process_sink().sink), std::memory_order_relaxed);
  if (!process_sink().sink) return;
  for (const auto& [level, line] : std::exchange(process_sink().kept_lines, {})) {
    process_sink().sink(level, line);
  }
}

void log_line(int level, std::string_view text) { deliver(level, text); }

LlamaLogCapture::LlamaLogCapture() { capture_of_thread = this; }
LlamaLogCapture::~LlamaLogCapture() { capture_of_thread = nullptr; }

LlamaLogWatch::LlamaLogWatch(LogSink listener) : listener_(std::move(listener)) {
  watch_of_thread = this;
}
LlamaLogWatch::~LlamaLogWatch() { watch_of_thread = nullptr; }

bool reports_out_of_memory(std::span<const std::string> errors) {
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

}  // namespace infernode
