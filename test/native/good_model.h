// A good GGUF file taken apart into keys and tensors, so that it can be put
// together again wrongly. Trusts the bytes once GgufFile has read them.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "gguf_bytes.h"
#include "model/gguf_file.h"

struct GoodModel {
  GgufBytes parts;
  std::uint64_t weight_bytes = 0;
};

// A cursor over bytes that are known to be good.
class GoodBytes {
 public:
  explicit GoodBytes(std::string_view bytes) : rest_(bytes) {}
  std::string_view take(std::uint64_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  template <typename Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(number<std::uint64_t>()); }
  // A value with its type number, as it lies.
  std::string_view typed_value() {
    const std::string_view from = rest_;
    const auto type = number<std::uint32_t>();
    if (type == 9) {
      const auto item = number<std::uint32_t>();
      for (auto count = number<std::uint64_t>(); count > 0; --count) skip(item);
    } else {
      skip(type);
    }
    return from.substr(0, from.size() - rest_.size());
  }

 private:
  void skip(std::uint32_t type) {
    constexpr std::uint64_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type == 8)
      text();
    else
      take(kBytes[type]);
  }
  std::string_view rest_;
};

inline GoodModel read_good_model(const std::string& path) {
  std::string bytes;
  if (path == "tiny") {
    bytes = tiny_llama().file();
  } else {
    std::ifstream file(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  const auto checked = infernode::GgufFile::parse(bytes, bytes.size(), path);
  GoodBytes cursor(bytes);
  GoodModel good;
  cursor.take(4);
  good.parts.version = cursor.number<std::uint32_t>();
  good.parts.alignment = checked.alignment();
  const auto tensors = cursor.number<std::uint64_t>();
  for (auto keys = cursor.number<std::uint64_t>(); keys > 0; --keys) {
    std::string name(cursor.text());
    good.parts.keys.push_back({std::move(name), std::string(cursor.typed_value())});
  }
  for (std::uint64_t i = 0; i < tensors; ++i) {
    const infernode::GgufTensor& tensor = checked.tensors()[i];
    good.parts.tensors.push_back(
        {tensor.name, {tensor.shape.begin(), tensor.shape.end()}, tensor.type, tensor.bytes});
  }
  good.weight_bytes = bytes.size() - checked.header_bytes();
  return good;
}
