// The contents of a model with random weights: the header's values and the tensors that llama.cpp
// v0.5.0 requires (src/models/*.cpp, load_arch_tensors), scaled so that activations keep their
// magnitude from layer to layer. Pure.
#pragma once

#include <vector>

#include "model/gguf_writer.h"
#include "model/synthetic_shape.h"
#include "model/synthetic_weights.h"

namespace infernode {

// Throws Error(kInvalidOption) for an unsupported architecture or type.
void write_hyperparameters(const SyntheticShape& shape, GgufWriter& header);
std::vector<SyntheticTensor> synthetic_tensors(const SyntheticShape& shape);

}  // namespace infernode
