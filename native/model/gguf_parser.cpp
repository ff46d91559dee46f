// Layout of a header, all numbers little-endian:
//   "GGUF" version:u32 tensors:u64 keys:u64
//   keys    x { key:string type:u32 value }
//   tensors x { name:string dimensions:u32 shape:u64[] type:u32 offset:u64 }
//   padding to general.alignment, then the data section
// where string = length:u64 bytes[] and array = type:u32 length:u64 items[].
#include "model/gguf_parser.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "model/gguf_text.h"

namespace infernode {

namespace {

constexpr std::uint64_t kLeastEntryBytes = 8 + 1 + 4 + 1;   // one-byte key and value
constexpr std::uint64_t kLeastTensorBytes = 8 + 4 + 4 + 8;  // no name, no shape
constexpr std::string_view kAlignmentKey = "general.alignment";

std::uint64_t item_bytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    case GgufType::kString:
      return 8;  // at least its length
    case GgufType::kArray:
      break;
  }
  return 0;
}

}  // namespace

GgufParser::GgufParser(std::span<const char> bytes, std::uint64_t file_bytes,
                       const std::string& label)
    : reader_(bytes, file_bytes, label) {
  file_.label_ = label;
  file_.file_bytes_ = file_bytes;
}

GgufFile GgufParser::parse() {
  read_magic_and_version();
  const std::uint64_t tensors = reader_.count("tensors", kLeastTensorBytes, kMaximumTensors);
  const std::uint64_t keys = reader_.count("metadata keys", kLeastEntryBytes, kMaximumKeys);
  read_metadata(keys);
  read_tensors(tensors);
  file_.header_.assign(reader_.taken().begin(), reader_.taken().end());
  place_data();
  return std::move(file_);
}

void GgufParser::read_magic_and_version() {
  reader_.take(4);  // already checked by GgufFile::read
  const auto version = reader_.number<std::uint32_t>();
  if (version == 2 || version == 3) {
    file_.version_ = version;
    return;
  }
  const bool swapped = (version & 0xffffu) == 0 && version != 0;
  const std::string came =
      swapped ? "is big-endian (version " + std::to_string(__builtin_bswap32(version)) + ")"
              : "has version " + std::to_string(version);
  throw Error(ErrorCode::kModelVersionUnsupported,
              quoted_path(file_.label_) + " " + came +
                  ", expected a little-endian GGUF of version 2 or 3; convert the model "
                  "again with llama.cpp's convert_hf_to_gguf.py" +
                  (swapped ? " without --bigendian." : "."));
}

void GgufParser::read_metadata(std::uint64_t count) {
  file_.metadata_.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    GgufEntry entry = read_entry(i);
    if (!file_.key_index_.emplace(entry.key, file_.metadata_.size()).second) {
      reader_.refuse_corrupt("metadata key " + quoted(entry.key) + " appears twice");
    }
    file_.metadata_.push_back(std::move(entry));
  }
  const GgufValue* alignment = file_.find(kAlignmentKey);
  if (alignment == nullptr) return;
  const auto* value = std::get_if<std::uint64_t>(&alignment->value);
  if (alignment->type != GgufType::kUint32 || !std::has_single_bit(*value) ||
      *value > kMaximumAlignment) {
    reader_.refuse_corrupt("'general.alignment' must be a uint32 power of two up to " +
                           std::to_string(kMaximumAlignment));
  }
  file_.alignment_ = *value;
}

GgufEntry GgufParser::read_entry(std::uint64_t index) {
  const std::string place = "metadata key number " + std::to_string(index);
  GgufEntry entry;
  entry.key = reader_.text(kMaximumKeyBytes, place);
  if (entry.key.empty() || !is_plain_text(entry.key)) {
    reader_.refuse_corrupt(place + " is empty or not UTF-8");
  }
  entry.value = read_value(entry.key);
  return entry;
}

GgufValue GgufParser::read_value(const std::string& key) {
  GgufValue value;
  value.type = static_cast<GgufType>(reader_.number<std::uint32_t>());
  if (value.type == GgufType::kArray) {
    value.value = read_array(key);
    return value;
  }
  GgufScalar scalar = read_scalar(value.type, key);
  std::visit([&](auto& item) { value.value = std::move(item); }, scalar);
  return value;
}

GgufArray GgufParser::read_array(const std::string& key) {
  GgufArray array;
  array.element_type = static_cast<GgufType>(reader_.number<std::uint32_t>());
  const std::uint64_t each = item_bytes(array.element_type);
  if (each == 0) {
    reader_.refuse_corrupt("metadata key " + quoted(key) +
                           " is an array of unknown or nested type " +
                           std::to_string(static_cast<std::uint32_t>(array.element_type)));
  }
  array.length = reader_.count("items of " + quoted(key), each, kMaximumHeaderBytes / each);
  array.begin = reader_.position();
  const bool keep = array.length <= kGgufItemsKept;
  const std::string item = "an item of " + quoted(key);  // built once, not per item
  if (keep || array.element_type == GgufType::kString) {
    for (std::uint64_t i = 0; i < array.length; ++i) {
      if (keep) {
        array.items.push_back(read_scalar(array.element_type, key));
      } else {
        reader_.text(kMaximumStringBytes, item);
      }
    }
  } else {
    reader_.take(array.length * each);
  }
  array.end = reader_.position();
  return array;
}

GgufScalar GgufParser::read_scalar(GgufType type, const std::string& key) {
  switch (type) {
    case GgufType::kUint8:
      return std::uint64_t{reader_.number<std::uint8_t>()};
    case GgufType::kInt8:
      return std::int64_t{reader_.number<std::int8_t>()};
    case GgufType::kUint16:
      return std::uint64_t{reader_.number<std::uint16_t>()};
    case GgufType::kInt16:
      return std::int64_t{reader_.number<std::int16_t>()};
    case GgufType::kUint32:
      return std::uint64_t{reader_.number<std::uint32_t>()};
    case GgufType::kInt32:
      return std::int64_t{reader_.number<std::int32_t>()};
    case GgufType::kFloat32:
      return double{reader_.number<float>()};
    case GgufType::kBool:
      return reader_.number<std::uint8_t>() != 0;
    case GgufType::kString:
      return std::string(reader_.text(kMaximumStringBytes, "the value of " + quoted(key)));
    case GgufType::kUint64:
      return reader_.number<std::uint64_t>();
    case GgufType::kInt64:
      return reader_.number<std::int64_t>();
    case GgufType::kFloat64:
      return reader_.number<double>();
    case GgufType::kArray:
      break;
  }
  reader_.refuse_corrupt("metadata key " + quoted(key) + " has unknown type " +
                         std::to_string(static_cast<std::uint32_t>(type)));
}

void GgufParser::read_tensors(std::uint64_t count) {
  file_.tensors_.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    GgufTensor tensor = read_tensor(i);
    if (!file_.tensor_index_.emplace(tensor.name, file_.tensors_.size()).second) {
      reader_.refuse_corrupt("tensor " + quoted(tensor.name) + " appears twice");
    }
    file_.tensors_.push_back(std::move(tensor));
  }
}

GgufTensor GgufParser::read_tensor(std::uint64_t index) {
  const std::string place = "the name of tensor number " + std::to_string(index);
  GgufTensor tensor;
  tensor.name = reader_.text(kMaximumNameBytes, place);
  if (tensor.name.empty() || !is_plain_text(tensor.name)) {
    reader_.refuse_corrupt(place + " is empty or not UTF-8");
  }
  read_shape(tensor);
  tensor.type = reader_.number<std::uint32_t>();
  measure(tensor);
  tensor.offset = reader_.number<std::uint64_t>();
  return tensor;
}

void GgufParser::read_shape(GgufTensor& tensor) {
  const auto dimensions = reader_.number<std::uint32_t>();
  if (dimensions > kMaximumDimensions) {
    reader_.refuse_corrupt("tensor " + quoted(tensor.name) + " has " + std::to_string(dimensions) +
                           " dimensions, at most 4 are possible");
  }
  std::int64_t elements = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto length = reader_.number<std::int64_t>();
    if (length <= 0 || __builtin_mul_overflow(elements, length, &elements)) {
      reader_.refuse_corrupt("tensor " + quoted(tensor.name) + " has an impossible shape");
    }
    tensor.shape.push_back(length);
  }
  tensor.elements = static_cast<std::uint64_t>(elements);
}

void GgufParser::measure(GgufTensor& tensor) {
  const GgufTensorType* type = gguf_tensor_type(tensor.type);
  if (type == nullptr) {
    reader_.refuse_corrupt("tensor " + quoted(tensor.name) + " has unknown type " +
                           std::to_string(tensor.type) +
                           " (removed from ggml, or newer than this build)");
  }
  tensor.type_name = type->name;
  const std::int64_t row = tensor.shape.empty() ? 1 : tensor.shape[0];
  if (row % type->block_elements != 0) {
    reader_.refuse_corrupt("tensor " + quoted(tensor.name) + " of type " + std::string(type->name) +
                           " has rows of " + std::to_string(row) + " elements, not a multiple of " +
                           std::to_string(type->block_elements));
  }
  // ggml computes sizes in signed 64 bits; stay below.
  const std::uint64_t blocks = tensor.elements / type->block_elements;
  if (blocks > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) /
                   (2 * std::uint64_t{type->block_bytes})) {
    reader_.refuse_corrupt("tensor " + quoted(tensor.name) + " has an impossible size");
  }
  tensor.bytes = blocks * type->block_bytes;
}

// [header][padding][tensor 0][padding][tensor 1] ... : ggml accepts only this gapless order, so
// each offset is known before it is read.
void GgufParser::place_data() {
  const auto padded = [this](std::uint64_t bytes) {
    return (bytes + file_.alignment_ - 1) & ~(file_.alignment_ - 1);
  };
  file_.data_begin_ = file_.tensors_.empty() ? reader_.position() : padded(reader_.position());
  std::uint64_t offset = 0;
  std::uint64_t end = 0;
  for (const GgufTensor& tensor : file_.tensors_) {
    if (tensor.offset != offset) {
      reader_.refuse_corrupt("tensor " + quoted(tensor.name) + " lies at offset " +
                             std::to_string(tensor.offset) + ", expected " +
                             std::to_string(offset));
    }
    if (__builtin_add_overflow(offset, tensor.bytes, &end) ||
        end > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 2)) {
      reader_.refuse_corrupt("tensor " + quoted(tensor.name) + " ends beyond any possible file");
    }
    offset = padded(end);
    file_.weight_bytes_ += tensor.bytes;
  }
  if (file_.data_begin_ + end > reader_.file_bytes())
    reader_.refuse_truncated(file_.data_begin_ + end);
}

}  // namespace infernode
