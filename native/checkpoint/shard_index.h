// Which file contains which tensor, from "model.safetensors.index.json". Refuses file names that
// are not plain names in the same folder. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace infernode {

constexpr std::size_t kMostIndexBytes = 64u << 20;
constexpr std::size_t kMostShards = 4096;

struct ShardIndex {
  std::vector<std::string> files;                              // sorted
  std::vector<std::pair<std::string, std::uint32_t>> tensors;  // name, index into files; sorted
};

// Throws Error(kModelCorrupt); `path` is the index's, for messages.
ShardIndex parse_shard_index(std::string_view text, const std::string& path);

}  // namespace infernode
