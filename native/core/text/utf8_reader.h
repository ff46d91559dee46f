// Reads one UTF-8 character byte by byte. Refuses overlong forms, surrogates and characters above
// U+10FFFF at the first byte after which no valid character is possible.
// A value; one thread at a time.
#pragma once

#include <cstdint>

namespace infernode {

constexpr std::uint32_t kLastCharacter = 0x10ffff;

class Utf8Reader {
 public:
  // False: the byte cannot follow.
  [[nodiscard]] bool take(std::uint8_t byte) {
    if (missing_ == 0) return begin(byte);
    if ((byte & 0xc0) != 0x80) return false;
    value_ = (value_ << 6) | (byte & 0x3fU);
    --missing_;
    return first() <= last();
  }
  int missing() const { return missing_; }
  std::uint32_t character() const { return value_; }
  // The range of characters that begin with the bytes read so far.
  std::uint32_t first() const {
    const std::uint32_t low = value_ << (6 * missing_);
    return after_surrogates(low < lowest_ ? lowest_ : low);
  }
  std::uint32_t last() const {
    const std::uint32_t high = (value_ << (6 * missing_)) | ((1U << (6 * missing_)) - 1);
    return high > kLastCharacter ? kLastCharacter : high;
  }

 private:
  static std::uint32_t after_surrogates(std::uint32_t character) {
    return character >= 0xd800 && character <= 0xdfff ? 0xe000 : character;
  }
  [[nodiscard]] bool begin(std::uint8_t byte) {
    if (byte < 0x80) return set(byte, 0, 0);
    if (byte >= 0xc2 && byte < 0xe0) return set(byte & 0x1fU, 1, 0x80);
    if (byte >= 0xe0 && byte < 0xf0) return set(byte & 0x0fU, 2, 0x800);
    if (byte >= 0xf0 && byte < 0xf5) return set(byte & 0x07U, 3, 0x10000);
    return false;
  }
  [[nodiscard]] bool set(std::uint32_t value, int missing, std::uint32_t lowest) {
    value_ = value;
    missing_ = missing;
    lowest_ = lowest;
    return true;
  }

  std::uint32_t value_ = 0;
  std::uint32_t lowest_ = 0;  // of this length
  int missing_ = 0;
};

}  // namespace infernode
