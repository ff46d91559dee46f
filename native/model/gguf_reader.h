// Reads the numbers and texts of a GGUF header one after another, each checked against the bytes of
// the file. Single use, one thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/types.h"

namespace infernode {

// The header continues to byte `bytes` at least, which the file does contain.
struct GgufNeedsMore {
  std::uint64_t bytes;
};

constexpr std::uint64_t kMaximumHeaderBytes = 256u << 20;

class GgufReader {
 public:
  // `bytes` are the first of a file of `file_bytes`, which messages call `label`.
  GgufReader(std::span<const char> bytes, std::uint64_t file_bytes, std::string label)
      : bytes_(bytes), file_bytes_(file_bytes), label_(std::move(label)) {}

  // Each throws Error, or GgufNeedsMore if the header continues beyond the bytes that are there.
  template <typename Number>
  Number number() {
    Number number;
    std::memcpy(&number, take(sizeof number).data(), sizeof number);
    return number;
  }
  // A count of entries of at least `bytes_each` bytes, so that the rest of the file can hold them.
  std::uint64_t count(std::string_view what, std::uint64_t bytes_each, std::uint64_t maximum);
  std::string_view text(std::uint64_t maximum, const std::string& what);
  std::span<const char> take(std::uint64_t count);

  std::uint64_t position() const { return position_; }
  std::uint64_t file_bytes() const { return file_bytes_; }
  // The bytes read so far.
  std::span<const char> taken() const { return bytes_.first(position_); }

  [[noreturn]] void refuse_truncated(std::uint64_t needed) const;
  [[noreturn]] void refuse_corrupt(const std::string& what) const;

 private:
  std::uint64_t left_in_file() const { return file_bytes_ - position_; }

  std::span<const char> bytes_;
  std::uint64_t file_bytes_;
  std::uint64_t position_ = 0;
  std::string label_;
};

}  // namespace infernode
