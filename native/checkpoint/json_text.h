// JSON files of a checkpoint, parsed strictly: UTF-8, no duplicate keys, limited size and nesting.
// Values are nlohmann::json, which is part of llama.cpp's sources; include <nlohmann/json.hpp> in
// .cpp files only, it is slow to compile. Pure; any thread.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace infernode {

using Json = nlohmann::json;

constexpr std::size_t kMostJsonDepth = 32;

// Throws Error(kModelCorrupt) "<label>: <what is wrong> at byte <n>".
Json parse_json(std::string_view text, const std::string& label);

}  // namespace infernode
