// llama.cpp's own quantizer behind one function: a GGUF of plain weights becomes a quantized
// file. It takes files only, so the plain weights go to a temporary one beside the result,
// which has no name from the moment it is opened (where the system allows): no exit of the
// process leaves it behind. Throws Error. Any thread; blocks for the whole of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf_source.h"

namespace infernode {

// Types that need no importance matrix, as users of llama.cpp write them but in lower case:
// "q4_k_m".
std::vector<std::string> quantize_types();

// Throws Error(kInvalidOption), which lists them, where `name` is none; case does not matter.
void check_quantize_type(std::string_view name);

struct QuantizePlan {
  std::uint64_t bytes = 0;  // of the quantized file, within a few kilobytes
  // Sentences, such as that tensors whose width does not fit become another type.
  std::vector<std::string> notes;
};

// What the quantizer would make of this header. Throws Error(kInvalidOption) where weights are
// quantized already. start_llama_runtime() must have succeeded.
QuantizePlan plan_quantization(const GgufSource& source, std::string_view type);

struct QuantizeRequest {
  std::string type;
  std::string out;                                    // replaced when whole, never touched before
  int threads = 0;                                    // 0: the cores this process may use
  std::function<void(float fraction)> progress = {};  // may be empty
};

// Writes the quantized file and returns its plan. Free space for the temporary file and the
// result together is checked first. `cancelled` is looked at for each piece of the temporary
// file and for each tensor: Error(kCancelled), and nothing is left of either file.
QuantizePlan quantize_to_file(const GgufSource& source, const QuantizeRequest& request,
                              const std::atomic<bool>& cancelled);

}  // namespace infernode
