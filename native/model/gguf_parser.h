// Parses the bytes of a GGUF header into a GgufFile, or refuses them. Used by GgufFile only. Single
// use, one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "model/gguf_file.h"
#include "model/gguf_reader.h"

namespace infernode {

// Limits for a plausible header. Real ones have at most a few hundred keys, 20,000 tensors (unfused
// experts) and 20 MB of tokens. The count limits also bound llama.cpp's quadratic search for
// duplicates to about a second.
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

  // Throws Error, or GgufNeedsMore so that the caller reads more.
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

  GgufReader reader_;
  GgufFile file_;
};

}  // namespace infernode
