// llama.cpp's log: one sink for the process, and objects that capture, watch or mute the lines of
// the current thread while they exist. Any thread may call these functions; a mutex guards the
// sink, and everything else is per thread.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace infernode {

// Level 1 debug, 2 info, 3 warning, 4 error; `text` is one line without its newline. Called on
// whichever thread logs, including llama.cpp's own: it must be quick, and must not throw, call
// JavaScript or log.
using LogSink = std::function<void(int level, std::string_view text)>;

// Replaces the sink; an empty one drops lines. When this returns, the old sink is not running and
// will not be called again. May be called before the start; the first sink after it receives the
// lines logged during the start.
void set_llama_log_sink(LogSink sink);

// Logs a line of infernode's own through the same sink.
void log_line(int level, std::string_view text);

// Makes llama.cpp log to the sink. Called once, by start_llama_runtime().
void install_llama_log();

// While it exists, lines of level 2 and above are kept if there is no sink, for the first sink
// that is set: no sink can exist before the addon is loaded, and which backends were found is
// reported nowhere else.
class KeptLogLines {
 public:
  KeptLogLines();
  ~KeptLogLines();
  KeptLogLines(const KeptLogLines&) = delete;
  KeptLogLines& operator=(const KeptLogLines&) = delete;

 private:
  bool keeps_ = false;
};

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

  void receive(int level, std::string_view text) const { listener_(level, text); }

 private:
  LogSink listener_;
};

// Whether one of these error lines reports a lack of memory, in llama.cpp's words or the standard
// library's; later lines may describe only its consequences.
[[nodiscard]] bool reports_out_of_memory(std::span<const std::string> errors);

// While it exists, the current thread's lines reach no sink: for work that the user did not ask
// for.
class LlamaLogMute {
 public:
  LlamaLogMute();
  ~LlamaLogMute();
  LlamaLogMute(const LlamaLogMute&) = delete;
  LlamaLogMute& operator=(const LlamaLogMute&) = delete;
};

}  // namespace infernode
