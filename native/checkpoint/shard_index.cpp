// Keeps only the weight_map; see shard_index.h.
#include "checkpoint/shard_index.h"

#include <algorithm>
#include <map>

#include "checkpoint/json_events.h"
#include "checkpoint/refuse.h"
#include "checkpoint/safetensors_header.h"

namespace infernode {

namespace {

constexpr std::string_view kWeightMap = "weight_map";

bool is_shard_name(std::string_view name) {
  return name.size() <= 255 && name.find_first_of("/\\") == std::string_view::npos &&
         !name.starts_with('.') && name.ends_with(".safetensors") && is_plain_text(name);
}

class IndexReader : public JsonEvents {
 public:
  bool key(string_t& name) override {
    if (depth() == 1) {
      in_map_ = name == kWeightMap;
      if (in_map_ && map_seen_) return refuse("duplicate key 'weight_map'");
      map_seen_ = map_seen_ || in_map_;
    } else if (in_map_) {
      if (tensors_.size() >= kMostTensors)
        return refuse("more than " + std::to_string(kMostTensors) + " tensors");
      tensors_.emplace_back(std::move(name), 0);
    }
    return true;
  }
  bool has_map() const { return map_seen_; }
  // Numbers the files in alphabetical order.
  ShardIndex take() {
    ShardIndex index;
    std::vector<std::uint32_t> place(files_.size());
    for (const auto& [file, number] : files_) {
      place[number] = static_cast<std::uint32_t>(index.files.size());
      index.files.push_back(file);
    }
    index.tensors = std::move(tensors_);
    for (auto& [name, file] : index.tensors) file = place[file];
    std::ranges::sort(index.tensors);
    return index;
  }

 protected:
  bool value(Json&& scalar) override {
    if (depth() == 0) return refuse("no JSON object");
    if (!in_map_) return true;
    if (depth() == 1) return refuse("a weight_map that is not an object");
    const auto* file = scalar.get_ptr<const std::string*>();
    if (file == nullptr || !is_shard_name(*file)) {
      return refuse("for tensor '" + printable(tensors_.back().first, 200) + "' " +
                    (file == nullptr ? "no file name" : "the file '" + printable(*file) + "'") +
                    ", expected the name of a .safetensors file in this folder");
    }
    const auto [place, is_new] = files_.try_emplace(*file, files_.size());
    if (is_new && files_.size() > kMostShards)
      return refuse("more than " + std::to_string(kMostShards) + " files");
    tensors_.back().second = place->second;
    return true;
  }
  bool begin_object() override {
    return !in_map_ || depth() == 2 || refuse("a weight_map with an object inside");
  }
  bool begin_array() override {
    if (depth() == 1) return refuse("no JSON object");
    return !in_map_ || refuse("a weight_map that has or is a list");
  }
  bool finish_object() override { return true; }
  bool finish_array() override { return true; }

 private:
  bool in_map_ = false;
  bool map_seen_ = false;
  std::map<std::string, std::uint32_t> files_;
  std::vector<std::pair<std::string, std::uint32_t>> tensors_;
};

}  // namespace

ShardIndex parse_shard_index(std::string_view text, const std::string& path) {
  IndexReader reader;
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorCode::kModelCorrupt, quoted_path(path) + " " + why);
  };
  read_json(text, reader, quoted_path(path));
  if (!reader.has_map()) refuse("has no weight_map, expected one that names each tensor's file.");
  ShardIndex index = reader.take();
  if (index.tensors.empty()) refuse("has an empty weight_map.");
  const auto twice =
      std::ranges::adjacent_find(index.tensors, {}, &std::pair<std::string, std::uint32_t>::first);
  if (twice != index.tensors.end())
    refuse("names tensor '" + printable(twice->first, 200) + "' twice.");
  return index;
}

}  // namespace infernode
