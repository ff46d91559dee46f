// Models of random weights for native tests, one of each kind of memory, small
// enough to be made for each test.
#pragma once

#include <memory>
#include <string>

#include "model_fixture.h"

namespace infernode {

inline SyntheticShape synthetic_shape(const std::string& architecture) {
  SyntheticShape shape;
  shape.reference = "synthetic:" + architecture;
  shape.tokenizer = embedded_path("q8_0");
  shape.architecture = architecture;
  shape.width = 128;
  shape.feed_forward = 256;
  shape.context_length = kEmbeddedContext;
  shape.window = 64;
  return shape;
}

inline std::shared_ptr<const LlamaModel> load_synthetic(const SyntheticShape& shape) {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const std::atomic<bool> cancelled{false};
  return LlamaModel::load({.path = shape.reference, .synthetic = shape}, nullptr, cancelled);
}

}  // namespace infernode
