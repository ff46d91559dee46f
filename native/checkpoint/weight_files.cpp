// File names used by Hugging Face and other writers; see weight_files.h.
#include "checkpoint/weight_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "checkpoint/refuse.h"

namespace infernode {

namespace {

constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndexEnding = ".safetensors.index.json";
constexpr std::string_view kEnding = ".safetensors";

std::string listed(std::span<const std::string> names) {
  std::string text;
  for (const std::string& name : names.first(std::min<std::size_t>(names.size(), 4)))
    text += (text.empty() ? "" : ", ") + printable(name);
  return names.size() > 4 ? text + " and " + std::to_string(names.size() - 4) + " more" : text;
}

bool has(std::span<const std::string> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::vector<std::string> ending_with(std::span<const std::string> names, std::string_view ending) {
  std::vector<std::string> found;
  for (const std::string& name : names)
    if (!name.starts_with('.') && name.ends_with(ending)) found.push_back(name);
  return found;
}

struct ShardName {
  std::string stem;  // "model"
  std::uint32_t number = 0;
  std::uint32_t count = 0;
};

std::optional<std::uint32_t> five_digits(std::string_view text) {
  std::uint32_t number = 0;
  if (text.size() != 5) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + 5, number);
  if (error != std::errc() || end != text.data() + 5) return std::nullopt;
  return number;
}

// "<stem>-00001-of-00003.safetensors"
std::optional<ShardName> shard_name(std::string_view name) {
  name.remove_suffix(kEnding.size());
  constexpr std::string_view kOf = "-of-";
  constexpr std::size_t kTail = 1 + 5 + kOf.size() + 5;
  if (name.size() <= kTail) return std::nullopt;
  const std::string_view tail = name.substr(name.size() - kTail);
  const auto number = five_digits(tail.substr(1, 5));
  const auto count = five_digits(tail.substr(kTail - 5));
  if (tail[0] != '-' || tail.substr(6, kOf.size()) != kOf || !number || !count) return std::nullopt;
  return ShardName{std::string(name.substr(0, name.size() - kTail)), *number, *count};
}

// Checks that all files form one set of shards: 1 to count, each once. nullopt if they do not.
std::optional<WeightFiles> complete_set(const std::vector<std::string>& files,
                                        const std::string& path) {
  const auto first = shard_name(files.front());
  if (!first) return std::nullopt;
  std::set<std::uint32_t> numbers;
  for (const std::string& file : files) {
    const auto shard = shard_name(file);
    if (!shard || shard->stem != first->stem || shard->count != first->count) return std::nullopt;
    numbers.insert(shard->number);
  }
  for (std::uint32_t number = 1; number <= first->count; ++number) {
    if (numbers.contains(number)) continue;
    refuse_file(ErrorCode::kModelNotFound, path,
                "lacks shard " + std::to_string(number) + " of " + std::to_string(first->count) +
                    " of " + printable(first->stem) + "-…" + std::string(kEnding) +
                    ", and has no index; download the model again.");
  }
  if (numbers.size() != first->count) {
    refuse_file(ErrorCode::kModelCorrupt, path,
                "has shards numbered beyond their count of " + std::to_string(first->count) +
                    "; download the model again.");
  }
  return WeightFiles{"", files};
}

// What the folder contains instead of safetensors.
[[noreturn]] void refuse_other_formats(std::span<const std::string> names,
                                       const std::string& path) {
  struct Other {
    std::string_view ending;
    std::string_view sentence;
  };
  constexpr std::array<Other, 12> kOthers = {{
      {".gguf", "holds a GGUF file; name that file itself."},
      {".incomplete", "holds an unfinished download; download the model again."},
      {".bin",
       "holds PyTorch pickle files only, which can run any code when they are read; "
       "download the safetensors version of the model."},
      {".pt",
       "holds PyTorch pickle files only, which can run any code when they are read; "
       "download the safetensors version of the model."},
      {".pth",
       "holds PyTorch pickle files only, which can run any code when they are read; "
       "download the safetensors version of the model."},
      {".ckpt",
       "holds pickle checkpoints only, which can run any code when they are read; "
       "download the safetensors version of the model."},
      {".pkl",
       "holds pickle files only, which can run any code when they are read; "
       "download the safetensors version of the model."},
      {".onnx", "holds an ONNX model; download the safetensors or GGUF version."},
      {".h5", "holds a TensorFlow model; download the safetensors or GGUF version."},
      {".msgpack", "holds a Flax model; download the safetensors or GGUF version."},
      {".npz", "holds NumPy arrays; download the safetensors or GGUF version."},
      {".tflite", "holds a TensorFlow Lite model; download the safetensors or GGUF version."},
  }};
  for (const Other& other : kOthers) {
    if (!ending_with(names, other.ending).empty())
      refuse_file(ErrorCode::kModelFormatUnsupported, path, std::string(other.sentence));
  }
  refuse_file(
      ErrorCode::kModelNotFound, path,
      "has no .safetensors file; expected a Hugging Face model directory with its weights.");
}

}  // namespace

WeightFiles find_weight_files(std::span<const std::string> names, const std::string& path) {
  const std::string index = std::string(kSingle) + ".index.json";
  // The order of transformers: a single file takes precedence over an index.
  if (has(names, kSingle)) return {"", {std::string(kSingle)}};
  if (has(names, index)) return {index, {}};
  const std::vector<std::string> indexes = ending_with(names, kIndexEnding);
  if (indexes.size() == 1) return {indexes[0], {}};
  if (indexes.size() > 1) {
    refuse_file(ErrorCode::kModelCorrupt, path,
                "has several indexes (" + listed(indexes) +
                    "), expected one; remove those of other variants.");
  }
  std::vector<std::string> files = ending_with(names, kEnding);
  const bool only_mistral = !files.empty() && std::ranges::all_of(files, [](const auto& name) {
    return name.starts_with("consolidated");
  });
  if (only_mistral) {
    refuse_file(ErrorCode::kModelFormatUnsupported, path,
                "holds weights under Mistral's own names only (" + listed(files) +
                    "); download model.safetensors or its shards too.");
  }
  std::erase_if(files, [](const std::string& name) { return name.starts_with("consolidated"); });
  const bool only_adapter = !files.empty() && std::ranges::all_of(files, [](const auto& name) {
    return name.starts_with("adapter_");
  });
  if (only_adapter) {
    refuse_file(ErrorCode::kModelFormatUnsupported, path,
                "holds a LoRA adapter and no model; load its base model.");
  }
  std::erase_if(files, [](const std::string& name) { return name.starts_with("adapter_"); });
  if (files.empty()) refuse_other_formats(names, path);
  if (auto set = complete_set(files, path)) return *set;
  if (files.size() == 1) return {"", files};
  refuse_file(ErrorCode::kModelCorrupt, path,
              "has several .safetensors files (" + listed(files) +
                  ") and no index that says which are the model; remove those that are not.");
}

}  // namespace infernode
