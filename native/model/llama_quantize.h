// llama.cpp's quantizer behind one function: a GGUF file of plain weights becomes a quantized file.
// The quantizer reads files only, so plain weights made in memory go to a temporary file beside the
// result, without a name where the system allows that, so that no exit of the process leaves it
// behind. Throws Error. Any thread; blocks until done.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf_source.h"

namespace infernode {

struct QuantizePlan {
  std::uint64_t bytes = 0;  // of the quantized file, within a few kilobytes
  // Sentences, for example that tensors of an unsuitable width become another type.
  std::vector<std::string> notes;
};

// What the quantizer would make of this header. Throws Error(kInvalidOption) if the weights are
// quantized already, or if `type` is none of quantize_types().
// start_llama_runtime() must have succeeded.
QuantizePlan plan_quantization(const GgufSource& source, std::string_view type);

struct QuantizeRequest {
  std::string type;
  std::string out;  // replaced once the result is complete, untouched before
  int threads = 0;  // 0: the cores this process may use
  std::function<void(float fraction)> progress = {};  // may be empty
};

// Writes the quantized file and returns its plan. First checks the free space for the temporary
// file and the result together. `cancelled` is checked for each piece of the temporary file and
// each tensor: Error(kCancelled), and neither file remains.
QuantizePlan quantize_to_file(const GgufSource& source, const QuantizeRequest& request,
                              const std::atomic<bool>& cancelled);

}  // namespace infernode
