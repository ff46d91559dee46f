// What llama.cpp's quantizer reports, which it does in log lines only: its progress, the size of
// the result, and tensors that become another type. It has no callback to cancel either: an
// exception from a line it logs ends it. One thread: llama.cpp logs on the one that quantizes.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace infernode {

class QuantizeLog {
 public:
  // `progress` may be empty. `cancelled`, which may be null, is read at each line.
  QuantizeLog(std::function<void(float fraction)> progress, const std::atomic<bool>* cancelled)
      : progress_(std::move(progress)), cancelled_(cancelled) {}

  // Throws where `cancelled` is true, except at an error line: the quantizer logs one for the
  // exception that ended it.
  void read_line(int level, std::string_view line);

  // Whether read_line() has thrown.
  [[nodiscard]] bool ended_it() const { return ended_it_; }
  [[nodiscard]] bool needs_matrix() const { return needs_matrix_; }
  // Of the result's weights.
  double megabytes() const { return megabytes_; }
  // A sentence for each pair of types of which tensors became the second instead of the first.
  std::vector<std::string> notes() const;

 private:
  void read_progress(std::string_view line);
  void read_fallback(std::string_view line);

  std::function<void(float)> progress_;
  const std::atomic<bool>* cancelled_;
  bool ended_it_ = false;
  std::string wanted_;  // the type of the tensor that the next line may report
  std::map<std::pair<std::string, std::string>, int> fallbacks_;
  double megabytes_ = 0;
  bool needs_matrix_ = false;
};

}  // namespace infernode
