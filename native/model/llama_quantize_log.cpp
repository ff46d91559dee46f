// Knows the wording of llama.cpp v0.5.0's llama-quant.cpp; test/native/llama_quantize_test.cpp runs
// the quantizer and fails where it changes.
#include "model/llama_quantize_log.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <exception>

#include "ggml.h"
#include "model/llama_quantize_types.h"

namespace infernode {

namespace {

struct Cancelled : std::exception {
  const char* what() const noexcept override { return "cancelled"; }
};

// The text behind `label`, without leading blanks; empty where the line has no such label.
std::string_view behind(std::string_view line, std::string_view label) {
  const std::size_t at = line.find(label);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + label.size());
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return line;
}

std::string_view until(std::string_view text, std::string_view ends) {
  return text.substr(0, text.find_first_of(ends));
}

// The number at the beginning of a text, which is shortened by it; 0: there is none.
unsigned take_number(std::string_view& text) {
  unsigned number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  return number;
}

}  // namespace

void QuantizeLog::read_line(int level, std::string_view line) {
  if (level < GGML_LOG_LEVEL_ERROR && cancelled_ != nullptr && cancelled_->load()) {
    ended_it_ = true;
    throw Cancelled();
  }
  read_progress(line);
  if (const std::string_view size = behind(line, "quant size  = "); !size.empty())
    megabytes_ = std::strtod(std::string(size).c_str(), nullptr);
  read_fallback(line);
  if (line.find("will require an imatrix") != std::string_view::npos) needs_matrix_ = true;
}

// "[  12/ 291] name …", before the tensor is quantized.
void QuantizeLog::read_progress(std::string_view line) {
  if (!progress_ || !line.starts_with('[')) return;
  std::string_view rest = behind(line, "[");
  const unsigned done = take_number(rest);
  if (done == 0 || !rest.starts_with('/')) return;
  rest = behind(rest, "/");
  const unsigned all = take_number(rest);
  if (all > 0) progress_(static_cast<float>(done - 1) / static_cast<float>(all));
}

// "… (required for type    q4_K) ", then "-> falling back to    q5_0".
void QuantizeLog::read_fallback(std::string_view line) {
  if (const std::string_view type = behind(line, "(required for type "); !type.empty())
    wanted_ = lower_case(until(type, ")"));
  if (const std::string_view type = behind(line, "-> falling back to "); !type.empty())
    ++fallbacks_[{wanted_, lower_case(until(type, " \t\r\n"))}];
}

std::vector<std::string> QuantizeLog::notes() const {
  std::vector<std::string> notes;
  for (const auto& [types, count] : fallbacks_)
    notes.push_back(std::to_string(count) +
                    (count == 1 ? " tensor whose width is" : " tensors whose width is") +
                    " not a multiple of a block of " + types.first + " become " + types.second);
  return notes;
}

}  // namespace infernode
