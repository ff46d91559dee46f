#include "model/llama_rank_head.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/types.h"
#include "ggml.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

constexpr std::string_view kWeights = "cls.output.weight";
// Architectures whose scores llama.cpp v0.5.0 takes from the last token (llama-graph.cpp).
constexpr std::array<std::string_view, 2> kArchitectures = {"qwen3", "qwen3vl"};

[[noreturn]] void refuse_read(const GgufFile& part) {
  throw Error(ErrorCode::kModelUnreadable,
              quoted_path(part.label()) +
                  " cannot be read at its rank head: " + std::strerror(errno) + ".");
}

std::vector<char> bytes_of(const GgufFile& part, const GgufTensor& tensor, std::FILE* file) {
  std::vector<char> bytes(tensor.bytes);
  const auto begin = static_cast<off_t>(part.header_bytes() + tensor.offset);
  if (file == nullptr || fseeko(file, begin, SEEK_SET) != 0 ||
      std::fread(bytes.data(), 1, bytes.size(), file) != bytes.size())
    refuse_read(part);
  return bytes;
}

std::vector<float> floats_of(const GgufTensor& tensor, const std::vector<char>& bytes) {
  std::vector<float> values(tensor.elements);
  const auto type = static_cast<ggml_type>(tensor.type);
  if (type == GGML_TYPE_F32) {
    std::memcpy(values.data(), bytes.data(), std::min(bytes.size(), values.size() * sizeof(float)));
    return values;
  }
  const ggml_to_float_t to_float = ggml_get_type_traits(type)->to_float;
  if (to_float == nullptr) return {};
  to_float(bytes.data(), values.data(), static_cast<std::int64_t>(values.size()));
  return values;
}

}  // namespace

std::shared_ptr<const RankHead> read_rank_head(
    std::span<const GgufFile> parts, const std::function<FileHandle(const GgufFile&)>& open) {
  const std::string_view architecture = parts.front().string("general.architecture");
  if (std::ranges::find(kArchitectures, architecture) == kArchitectures.end()) return nullptr;
  for (const GgufFile& part : parts) {
    const GgufTensor* tensor = part.tensor(kWeights);
    if (tensor == nullptr) continue;
    if (tensor->shape.size() != 2 || tensor->shape[1] < 2) return nullptr;
    const FileHandle file = open(part);
    std::vector<float> weights = floats_of(*tensor, bytes_of(part, *tensor, file.get()));
    if (weights.empty()) return nullptr;
    return std::make_shared<const RankHead>(std::move(weights),
                                            static_cast<std::size_t>(tensor->shape[1]));
  }
  return nullptr;
}

}  // namespace infernode
