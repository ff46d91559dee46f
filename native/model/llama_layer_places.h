// Which device llama.cpp puts each layer of a model on. Its API has no call for it, so the
// lines that it logs while loading are parsed. Belongs to the thread that loads the model.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/memory_estimate.h"
#include "model/placement.h"

namespace infernode {

// The part of a loaded model that is on one device.
struct ModelDevice {
  std::string name;                       // of DeviceInfo; "CPU": the host's memory
  std::vector<std::int32_t> layers = {};  // from 0, ascending; a layer may be split over several
  bool has_output = false;                // the output layer is there as well
  std::uint64_t weight_bytes = 0;

  [[nodiscard]] bool computes() const { return has_output || !layers.empty(); }
};

class LlamaLayerPlaces {
 public:
  // Takes one line of llama.cpp's log; most lines say nothing about layers.
  void add_line(std::string_view line);

  // The placement's devices, in its order, and the host if it has layers or weights. `layer_count`
  // does not include the output layer.
  [[nodiscard]] std::vector<ModelDevice> devices(const Placement& placement,
                                                 const WeightMemory& weights,
                                                 std::int32_t layer_count) const;

 private:
  std::map<std::int32_t, std::string> device_of_;  // by layer index; the output layer comes last
};

}  // namespace infernode
