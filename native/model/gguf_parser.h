// Parses the bytes of a GGUF header into a GgufFile, or refuses them. Used by GgufFile only. Every
// read is checked against the bytes available; if the header continues beyond them, GgufNeedsMore
// is thrown so that the caller reads more. Single use, one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/types.h"
#include "model/gguf_file.h"

namespace infernode {

// The header continues to byte `bytes` at least, which the file does contain.
struct GgufNeedsMore {
  std::uint64_t bytes;
};

// Limits for a plausible header. Real ones have at most a few hundred keys, 20,000 tensors (unfused
// experts) and 20 MB of tokens. The count limits also bound llama.cpp's quadratic search for
// duplicates to about a second.
constexpr std::uint64_t kMaximumHeaderBytes = 256u << 20;
constexpr std::uint64_t kMaximumKeys = 16384;
constexpr std::uint64_t kMaximumTensors = 32768;
constexpr std::uint64_t kMaximumKeyBytes = 65535;  // the format's limit
constexpr std::uint64_t kMaximumStringBytes = 64u << 20;
constexpr std::uint64_t kMaximumNameBytes = 63;  // GGML_MAX_NAME - 1
constexpr std::uint64_t kMaximumDimensions = 4;  // GGML_MAX_DIMS
constexpr std::uint64_t kMaximumAlignment = 1u << 20;

class GgufParser {
 public:
  GgufParser(std::span<const char> bytes, std::uint64_t file_bytes, const std::string& label);

  // Throws Error or GgufNeedsMore.
  GgufFile parse();

 private:
  void read_magic_and_version();
  void read_metadata(std::uint64_t count);
  void read_tensors(std::uint64_t count);
  void place_data();
  GgufEntry read_entry(std::uint64_t index);
  GgufValue read_value(const std::string& key);
  GgufArray read_array(const std::string& key);
  GgufScalar read_scalar(GgufType type, const std::string& key);
  GgufTensor read_tensor(std::uint64_t index);
  void read_shape(GgufTensor& tensor);
  void measure(GgufTensor& tensor);

  template <typename Number>
  Number read_number();
  std::uint64_t read_count(std::string_view what, std::uint64_t bytes_each, std::uint64_t maximum);
  std::string_view read_text(std::uint64_t maximum, const std::string& what);
  std::span<const char> take(std::uint64_t count);
  std::uint64_t left_in_file() const { return file_bytes_ - position_; }
  [[noreturn]] void refuse_truncated(std::uint64_t needed) const;
  [[noreturn]] void refuse_corrupt(const std::string& what) const;

  std::span<const char> bytes_;
  std::uint64_t file_bytes_;
  std::uint64_t position_ = 0;
  GgufFile file_;
};

// `text` made safe for a message: at most `most` characters, ASCII, '?' for anything else.
std::string printable(std::string_view text, std::size_t most = 80);

// A path in quotes, untruncated, with '?' for control characters.
std::string quoted_path(std::string_view path);

// Well-formed UTF-8 without NUL, as required of keys and tensor names.
[[nodiscard]] bool is_plain_text(std::string_view text);

}  // namespace infernode
