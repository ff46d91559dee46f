// How a checkpoint is quantized: its quantization_config, checked against the tensors that exist.
// The config decides what shapes cannot (GPTQ v1 or v2, square layers); a contradiction is an
// error, never a guess. Immutable; any thread may read it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/quantized_matrix.h"

namespace infernode {

// A linear layer's dimensions according to the model's config.
struct LinearShape {
  std::size_t rows = 0;     // outputs
  std::size_t columns = 0;  // inputs
};

class Quantization {
 public:
  virtual ~Quantization() = default;

  // For messages: "AWQ gemm, 4 bits, groups of 128, asymmetric".
  virtual std::string description() const = 0;
  // Whether every zero point is the middle of the range, according to the config.
  [[nodiscard]] virtual bool symmetric() const = 0;

  // The quantized weight of a module such as "model.layers.0.self_attn.q_proj"; nullptr if the
  // module has a plain ".weight". The tensors decide what is quantized, not modules_to_not_convert.
  // Throws Error(kModelCorrupt) that names file and tensor.
  virtual std::unique_ptr<QuantizedMatrix> open(const std::string& module,
                                                LinearShape shape) const = 0;
  // Whether a stored tensor belongs to this format (".qweight", ".g_idx"), so that unused tensors
  // can be reported.
  [[nodiscard]] virtual bool owns(std::string_view tensor) const = 0;
};

// nullptr: the checkpoint is not quantized. `folder` must outlive the result. Throws
// Error(kModelFormatUnsupported), which names the method and what to use instead, and
// Error(kModelCorrupt).
std::unique_ptr<const Quantization> read_quantization(const CheckpointFolder& folder);

}  // namespace infernode
