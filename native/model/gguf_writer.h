// Writes a GGUF header (version 3) into a string: values first, then tensors. Does not validate its
// input; GgufFile validates the result. Single use, one thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "model/gguf_file.h"

namespace infernode {

class GgufWriter {
 public:
  static constexpr std::uint64_t kAlignment = 32;  // the format's default

  void text(std::string_view key, std::string_view value) {
    begin(key, GgufType::kString);
    add_text(values_, value);
  }
  void flag(std::string_view key, bool value) {
    begin(key, GgufType::kBool);
    values_.push_back(value ? 1 : 0);
  }
  void whole(std::string_view key, std::uint32_t value) {
    begin(key, GgufType::kUint32);
    add(values_, value);
  }
  void real(std::string_view key, float value) {
    begin(key, GgufType::kFloat32);
    add(values_, value);
  }
  void integers(std::string_view key, std::span<const std::int32_t> items) {
    begin_array(key, GgufType::kInt32, items.size());
    for (const std::int32_t item : items) add(values_, item);
  }
  void reals(std::string_view key, std::span<const float> items) {
    begin_array(key, GgufType::kFloat32, items.size());
    for (const float item : items) add(values_, item);
  }
  // Copies a value from `file`, whose array bytes must not have been freed.
  void copy(const GgufEntry& entry, const GgufFile& file) {
    begin(entry.key, entry.value.type);
    if (const auto* array = std::get_if<GgufArray>(&entry.value.value)) {
      add(values_, static_cast<std::uint32_t>(array->element_type));
      add(values_, array->length);
      values_ += file.bytes_of(*array);
    } else {
      add_scalar(entry.value);
    }
  }
  template <typename Texts>
  void texts(std::string_view key, const Texts& items) {
    begin_array(key, GgufType::kString, items.size());
    for (const std::string_view item : items) add_text(values_, item);
  }

  // A tensor of `bytes` bytes, which begin at the value of `data_bytes()` before this call.
  void tensor(std::string_view name, std::span<const std::uint64_t> shape, std::uint32_t type,
              std::uint64_t bytes) {
    ++tensor_count_;
    add_text(tensors_, name);
    add(tensors_, static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t length : shape) add(tensors_, length);
    add(tensors_, type);
    add(tensors_, data_bytes_);
    data_bytes_ = padded(data_bytes_ + bytes);
  }
  std::uint64_t data_bytes() const { return data_bytes_; }

  // The header, padded to the start of the data section.
  std::string header() const {
    std::string bytes = "GGUF";
    add(bytes, std::uint32_t{3});
    add(bytes, tensor_count_);
    add(bytes, value_count_);
    bytes += values_ + tensors_;
    bytes.resize(padded(bytes.size()));
    return bytes;
  }

 private:
  static std::uint64_t padded(std::uint64_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  template <typename Number>
  static void add(std::string& bytes, Number number) {
    const std::size_t at = bytes.size();
    bytes.resize(at + sizeof number);
    std::memcpy(bytes.data() + at, &number, sizeof number);
  }
  // Narrowed to the type it was read as.
  void add_scalar(const GgufValue& value) {
    if (const auto* text = std::get_if<std::string>(&value.value)) return add_text(values_, *text);
    if (const auto* flag = std::get_if<bool>(&value.value)) return values_.push_back(*flag ? 1 : 0);
    if (value.type == GgufType::kFloat32)
      return add(values_, static_cast<float>(std::get<double>(value.value)));
    if (value.type == GgufType::kFloat64) return add(values_, std::get<double>(value.value));
    const auto* natural = std::get_if<std::uint64_t>(&value.value);
    const std::uint64_t whole =
        natural != nullptr ? *natural
                           : static_cast<std::uint64_t>(std::get<std::int64_t>(value.value));
    if (value.type == GgufType::kUint8 || value.type == GgufType::kInt8)
      return add(values_, static_cast<std::uint8_t>(whole));
    if (value.type == GgufType::kUint16 || value.type == GgufType::kInt16)
      return add(values_, static_cast<std::uint16_t>(whole));
    if (value.type == GgufType::kUint32 || value.type == GgufType::kInt32)
      return add(values_, static_cast<std::uint32_t>(whole));
    add(values_, whole);
  }
  static void add_text(std::string& bytes, std::string_view text) {
    add(bytes, static_cast<std::uint64_t>(text.size()));
    bytes += text;
  }
  void begin(std::string_view key, GgufType type) {
    ++value_count_;
    add_text(values_, key);
    add(values_, static_cast<std::uint32_t>(type));
  }
  void begin_array(std::string_view key, GgufType type, std::uint64_t length) {
    begin(key, GgufType::kArray);
    add(values_, static_cast<std::uint32_t>(type));
    add(values_, length);
  }

  std::string values_;
  std::string tensors_;
  std::uint64_t value_count_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t data_bytes_ = 0;
};

}  // namespace infernode
