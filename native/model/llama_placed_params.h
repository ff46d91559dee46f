// llama.cpp's load parameters for a placement. One thread.
#pragma once

#include <vector>

#include "ggml-backend.h"
#include "llama.h"
#include "model/placement.h"

namespace infernode {

// Owns the lists that the parameters point to.
class PlacedParams {
 public:
  // Throws Error(kInvalidOption) for a device that llama_devices() does not list.
  explicit PlacedParams(const Placement& placement);
  PlacedParams(const PlacedParams&) = delete;
  PlacedParams& operator=(const PlacedParams&) = delete;

  llama_model_params values;

 private:
  std::vector<ggml_backend_dev_t> devices_;  // ends with a null pointer
  std::vector<float> tensor_split_;          // llama_max_devices() entries
};

}  // namespace infernode
