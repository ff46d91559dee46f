// Which files of a folder hold the model's weights: "model.safetensors", the files of an
// index, one complete set "…-0000x-of-0000y.safetensors", or the only .safetensors file. Refuses
// to choose between several, and formats other than safetensors, by name. Pure; any thread.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace infernode {

struct WeightFiles {
  std::string index;               // "" where there is none
  std::vector<std::string> files;  // empty where the index names them
};

// `names` are those of the folder at `path`. Throws Error: kModelNotFound, kModelCorrupt,
// kModelFormatUnsupported.
WeightFiles find_weight_files(std::span<const std::string> names, const std::string& path);

}  // namespace infernode
