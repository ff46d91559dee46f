// Which files of a folder contain the model's weights: "model.safetensors", the files of an index,
// one complete set "…-0000x-of-0000y.safetensors", or the only .safetensors file. Refuses by name
// if there are several candidates, and for formats other than safetensors. Pure; any thread.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace infernode {

struct WeightFiles {
  std::string index;               // "" if there is none
  std::vector<std::string> files;  // empty if the index names them
};

// `names` are those in the folder at `path`. Throws Error: kModelNotFound, kModelCorrupt,
// kModelFormatUnsupported.
WeightFiles find_weight_files(std::span<const std::string> names, const std::string& path);

}  // namespace infernode
