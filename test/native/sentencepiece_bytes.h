// Writes tokenizer.model files: SentencePiece's protobuf, field by field, also broken ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
inline std::string number_field(unsigned number, std::uint64_t value) {
  return varint(number << 3) + varint(value);
}
inline std::string text_field(unsigned number, std::string_view text) {
  return varint(number << 3 | 2) + varint(text.size()) + std::string(text);
}
inline std::string real_field(unsigned number, float value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return varint(number << 3 | 5) + bytes;
}
inline std::string piece(std::string_view text, float score, std::uint64_t type = 1) {
  return text_field(1, text_field(1, text) + real_field(2, score) + number_field(3, type));
}
// BPE that maps no characters and keeps spaces, as Llama's.
inline std::string trainer_and_normalizer(std::uint64_t model_type = 2,
                                          std::uint64_t removes_spaces = 0) {
  return text_field(2, number_field(3, model_type)) +
         text_field(3, text_field(1, "identity") + number_field(4, removes_spaces));
}
inline std::string small_sentencepiece() {
  const std::string digits = "0123456789ABCDEF";
  std::string bytes = piece("<unk>", 0, 2);
  for (std::size_t byte = 0; byte < 256; ++byte)
    bytes += piece(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">", 0, 6);
  bytes += piece("a", -2) + piece("b", -3) + piece("ab", -1);
  return bytes;
}
