// A parsed GGUF header: metadata and tensor descriptions, validated before llama.cpp sees the file.
// Standard library only; weights are never read. Every count and length is checked against the
// bytes available, so memory stays within a small multiple of the header, whatever the header
// claims. Error messages name paths, keys and tensors, never values. Immutable once read; any
// thread may read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace infernode {

// The numbers are those of the file format.
enum class GgufType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

std::string_view gguf_type_name(GgufType type);

// Integers are widened and floats become double; GgufValue keeps the exact type.
using GgufScalar = std::variant<bool, std::uint64_t, std::int64_t, double, std::string>;

// Arrays up to this long are also parsed into GgufArray::items.
constexpr std::size_t kGgufItemsKept = 64;

struct GgufArray {
  GgufType element_type = GgufType::kUint8;
  std::uint64_t length = 0;
  std::vector<GgufScalar> items;  // all items, or empty if there are more than that
  std::size_t begin = 0;          // the items are bytes [begin, end) of the header
  std::size_t end = 0;
};

struct GgufValue {
  GgufType type = GgufType::kUint8;  // kArray: see the array's element_type
  std::variant<bool, std::uint64_t, std::int64_t, double, std::string, GgufArray> value;
};

struct GgufEntry {
  std::string key;
  GgufValue value;
};

struct GgufTensor {
  std::string name;
  std::uint32_t type = 0;           // ggml's type number
  std::string_view type_name;       // "q8_0"
  std::vector<std::int64_t> shape;  // in ggml's order: row length first
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;  // from the start of the data section
};

// One ggml type: elements per block and bytes per block.
struct GgufTensorType {
  std::uint32_t number;
  std::string_view name;
  std::uint32_t block_elements;
  std::uint32_t block_bytes;
};

// Null for a type number that no released GGUF uses.
const GgufTensorType* gguf_tensor_type(std::uint32_t number);

class GgufFile {
 public:
  // Reads the header of the file at `path`. Throws Error: kModelNotFound, kModelUnreadable,
  // kModelNotGguf, kModelVersionUnsupported, kModelTruncated or kModelCorrupt. Blocks on the disk.
  static GgufFile read(const std::string& path);

  // The same for bytes already in memory: `bytes` is the beginning of a file of `file_bytes` bytes
  // and must contain its whole header. `label` stands for the path in messages.
  static GgufFile parse(std::span<const char> bytes, std::uint64_t file_bytes,
                        const std::string& label);

  std::uint32_t version() const { return version_; }
  std::uint64_t file_bytes() const { return file_bytes_; }
  std::uint64_t header_bytes() const { return data_begin_; }  // the data section starts here
  std::uint64_t alignment() const { return alignment_; }      // of each tensor
  std::uint64_t weight_bytes() const { return weight_bytes_; }
  const std::string& label() const { return label_; }
  const std::vector<GgufEntry>& metadata() const { return metadata_; }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }

  // Null if the file has no such key or tensor.
  const GgufValue* find(std::string_view key) const;
  const GgufTensor* tensor(std::string_view name) const;

  // The string value of a key; "" if it is missing or not a string.
  std::string_view string(std::string_view key) const;
  // The integer value of a key (any integer type); `fallback` if it is missing.
  std::int64_t integer(std::string_view key, std::int64_t fallback) const;

  // The items of an array of any length, read from the header kept in memory. Empty if the array
  // has another element type.
  std::vector<std::string_view> strings(const GgufArray& array) const;
  std::vector<std::int64_t> integers(const GgufArray& array) const;

  // The bytes of an array's items as stored in the header.
  std::string_view bytes_of(const GgufArray& array) const {
    return header_.empty() ? std::string_view()
                           : std::string_view(header_).substr(array.begin, array.end - array.begin);
  }

  // Frees the header's bytes (megabytes of tokens). Afterwards strings(), integers() and bytes_of()
  // return nothing; everything else remains valid.
  void drop_array_bytes() { std::string().swap(header_); }

 private:
  friend class GgufParser;
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Index = std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>>;

  std::string label_;
  std::string header_;  // the bytes arrays point into
  std::uint32_t version_ = 0;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t data_begin_ = 0;
  std::uint64_t alignment_ = 32;
  std::uint64_t weight_bytes_ = 0;
  std::vector<GgufEntry> metadata_;
  std::vector<GgufTensor> tensors_;
  Index key_index_;
  Index tensor_index_;
};

}  // namespace infernode
