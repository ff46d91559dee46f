#include "model/llama_load_failure.h"

#include <string_view>

#include "model/gguf_text.h"
#include "model/llama_log.h"

namespace infernode {

namespace {

// llama.cpp's reason for a failed load: what follows "error loading model:" in the first error line
// that contains it.
std::string reason_in(std::span<const std::string> errors) {
  constexpr std::string_view kMark = "error loading model: ";
  for (const std::string& line : errors) {
    const std::size_t at = line.find(kMark);
    if (at != std::string::npos) return line.substr(at + kMark.size());
  }
  return errors.empty() ? "no reason given" : errors.front();
}

}  // namespace

Error did_not_fit(const std::string& label, const std::string& reason) {
  return {ErrorCode::kOutOfMemory, quoted_path(label) + " did not fit: " + printable(reason, 240) +
                                       "; use a smaller quantization or a host with more memory."};
}

void refuse_load(const std::string& label, std::span<const std::string> errors) {
  const std::string reason = printable(reason_in(errors), 240);
  if (reason.find("LLAMA_SPLIT_MODE_TENSOR") != std::string::npos) {
    throw Error(ErrorCode::kInvalidOption,
                quoted_path(label) + " cannot be loaded with splitMode \"tensor\": " + reason +
                    "; take splitMode \"layer\".");
  }
  if (reports_out_of_memory(errors)) throw did_not_fit(label, reason);
  throw Error(ErrorCode::kModelLoadFailed, quoted_path(label) + " was refused by llama.cpp: " +
                                               reason + "; convert or download it again.");
}

}  // namespace infernode
