// Layout of a header, all numbers little-endian:
//   "GGUF" version:u32 tensors:u64 keys:u64
//   keys    x { key:string type:u32 value }
//   tensors x { name:string dimensions:u32 shape:u64[] type:u32 offset:u64 }
//   padding to general.alignment, then the data section
// where string = length:u64 bytes[] and array = type:u32 length:u64 items[].
#include "model/gguf_parser.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

namespace infernode {

namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies");

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

std::string quoted(std::string_view text) { return "'" + printable(text) + "'"; }

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  std::string shown(text.substr(0, most));
  std::ranges::replace_if(
      shown, [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  if (text.size() > most) shown += "...";
  return shown;
}

std::string quoted_path(std::string_view path) {
  std::string shown(path);
  std::ranges::replace_if(
      shown, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return "'" + shown + "'";
}

bool is_plain_text(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead == 0) return false;
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                                                             : 0;
    if (length == 0 || text.size() - i < length) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

GgufParser::GgufParser(std::span<const char> bytes, std::uint64_t file_bytes,
                       const std::string& label)
    : bytes_(bytes), file_bytes_(file_bytes) {
  file_.label_ = label;
  file_.file_bytes_ = file_bytes;
}

GgufFile GgufParser::parse() {
  read_magic_and_version();
  const std::uint64_t tensors = read_count("tensors", kLeastTensorBytes, kMaximumTensors);
  const std::uint64_t keys = read_count("metadata keys", kLeastEntryBytes, kMaximumKeys);
  read_metadata(keys);
  read_tensors(tensors);
  file_.header_.assign(bytes_.data(), position_);
  place_data();
  return std::move(file_);
}

void GgufParser::read_magic_and_version() {
  take(4);  // already checked by GgufFile::read
  const auto version = read_number<std::uint32_t>();
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
      refuse_corrupt("metadata key " + quoted(entry.key) + " appears twice");
    }
    file_.metadata_.push_back(std::move(entry));
  }
  const GgufValue* alignment = file_.find(kAlignmentKey);
  if (alignment == nullptr) return;
  const auto* value = std::get_if<std::uint64_t>(&alignment->value);
  if (alignment->type != GgufType::kUint32 || !std::has_single_bit(*value) ||
      *value > kMaximumAlignment) {
    refuse_corrupt("'general.alignment' must be a uint32 power of two up to " +
                   std::to_string(kMaximumAlignment));
  }
  file_.alignment_ = *value;
}

GgufEntry GgufParser::read_entry(std::uint64_t index) {
  const std::string place = "metadata key number " + std::to_string(index);
  GgufEntry entry;
  entry.key = read_text(kMaximumKeyBytes, place);
  if (entry.key.empty() || !is_plain_text(entry.key)) {
    refuse_corrupt(place + " is empty or not UTF-8");
  }
  entry.value = read_value(entry.key);
  return entry;
}

GgufValue GgufParser::read_value(const std::string& key) {
  GgufValue value;
  value.type = static_cast<GgufType>(read_number<std::uint32_t>());
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
  array.element_type = static_cast<GgufType>(read_number<std::uint32_t>());
  const std::uint64_t each = item_bytes(array.element_type);
  if (each == 0) {
    refuse_corrupt("metadata key " + quoted(key) + " is an array of unknown or nested type " +
                   std::to_string(static_cast<std::uint32_t>(array.element_type)));
  }
  array.length = read_count("items of " + quoted(key), each, kMaximumHeaderBytes / each);
  array.begin = position_;
  const bool keep = array.length <= kGgufItemsKept;
  const std::string item = "an item of " + quoted(key);  // built once, not per item
  if (keep || array.element_type == GgufType::kString) {
    for (std::uint64_t i = 0; i < array.length; ++i) {
      if (keep) {
        array.items.push_back(read_scalar(array.element_type, key));
      } else {
        read_text(kMaximumStringBytes, item);
      }
    }
  } else {
    take(array.length * each);
  }
  array.end = position_;
  return array;
}

GgufScalar GgufParser::read_scalar(GgufType type, const std::string& key) {
  switch (type) {
    case GgufType::kUint8:
      return std::uint64_t{read_number<std::uint8_t>()};
    case GgufType::kInt8:
      return std::int64_t{read_number<std::int8_t>()};
    case GgufType::kUint16:
      return std::uint64_t{read_number<std::uint16_t>()};
    case GgufType::kInt16:
      return std::int64_t{read_number<std::int16_t>()};
    case GgufType::kUint32:
      return std::uint64_t{read_number<std::uint32_t>()};
    case GgufType::kInt32:
      return std::int64_t{read_number<std::int32_t>()};
    case GgufType::kFloat32:
      return double{read_number<float>()};
    case GgufType::kBool:
      return read_number<std::uint8_t>() != 0;
    case GgufType::kString:
      return std::string(read_text(kMaximumStringBytes, "the value of " + quoted(key)));
    case GgufType::kUint64:
      return read_number<std::uint64_t>();
    case GgufType::kInt64:
      return read_number<std::int64_t>();
    case GgufType::kFloat64:
      return read_number<double>();
    case GgufType::kArray:
      break;
  }
  refuse_corrupt("metadata key " + quoted(key) + " has unknown type " +
                 std::to_string(static_cast<std::uint32_t>(type)));
}

void GgufParser::read_tensors(std::uint64_t count) {
  file_.tensors_.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    GgufTensor tensor = read_tensor(i);
    if (!file_.tensor_index_.emplace(tensor.name, file_.tensors_.size()).second) {
      refuse_corrupt("tensor " + quoted(tensor.name) + " appears twice");
    }
    file_.tensors_.push_back(std::move(tensor));
  }
}

GgufTensor GgufParser::read_tensor(std::uint64_t index) {
  const std::string place = "the name of tensor number " + std::to_string(index);
  GgufTensor tensor;
  tensor.name = read_text(kMaximumNameBytes, place);
  if (tensor.name.empty() || !is_plain_text(tensor.name)) {
    refuse_corrupt(place + " is empty or not UTF-8");
  }
  read_shape(tensor);
  tensor.type = read_number<std::uint32_t>();
  measure(tensor);
  tensor.offset = read_number<std::uint64_t>();
  return tensor;
}

void GgufParser::read_shape(GgufTensor& tensor) {
  const auto dimensions = read_number<std::uint32_t>();
  if (dimensions > kMaximumDimensions) {
    refuse_corrupt("tensor " + quoted(tensor.name) + " has " + std::to_string(dimensions) +
                   " dimensions, at most 4 are possible");
  }
  std::int64_t elements = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto length = read_number<std::int64_t>();
    if (length <= 0 || __builtin_mul_overflow(elements, length, &elements)) {
      refuse_corrupt("tensor " + quoted(tensor.name) + " has an impossible shape");
    }
    tensor.shape.push_back(length);
  }
  tensor.elements = static_cast<std::uint64_t>(elements);
}

void GgufParser::measure(GgufTensor& tensor) {
  const GgufTensorType* type = gguf_tensor_type(tensor.type);
  if (type == nullptr) {
    refuse_corrupt("tensor " + quoted(tensor.name) + " has unknown type " +
                   std::to_string(tensor.type) + " (removed from ggml, or newer than this build)");
  }
  tensor.type_name = type->name;
  const std::int64_t row = tensor.shape.empty() ? 1 : tensor.shape[0];
  if (row % type->block_elements != 0) {
    refuse_corrupt("tensor " + quoted(tensor.name) + " of type " + std::string(type->name) +
                   " has rows of " + std::to_string(row) + " elements, not a multiple of " +
                   std::to_string(type->block_elements));
  }
  // ggml computes sizes in signed 64 bits; stay below.
  const std::uint64_t blocks = tensor.elements / type->block_elements;
  if (blocks > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) /
                   (2 * std::uint64_t{type->block_bytes})) {
    refuse_corrupt("tensor " + quoted(tensor.name) + " has an impossible size");
  }
  tensor.bytes = blocks * type->block_bytes;
}

// [header][padding][tensor 0][padding][tensor 1] ... : ggml accepts only this gapless order, so
// each offset is known before it is read.
void GgufParser::place_data() {
  const auto padded = [this](std::uint64_t bytes) {
    return (bytes + file_.alignment_ - 1) & ~(file_.alignment_ - 1);
  };
  file_.data_begin_ = file_.tensors_.empty() ? position_ : padded(position_);
  std::uint64_t offset = 0;
  std::uint64_t end = 0;
  for (const GgufTensor& tensor : file_.tensors_) {
    if (tensor.offset != offset) {
      refuse_corrupt("tensor " + quoted(tensor.name) + " lies at offset " +
                     std::to_string(tensor.offset) + ", expected " + std::to_string(offset));
    }
    if (__builtin_add_overflow(offset, tensor.bytes, &end) ||
        end > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 2)) {
      refuse_corrupt("tensor " + quoted(tensor.name) + " ends beyond any possible file");
    }
    offset = padded(end);
    file_.weight_bytes_ += tensor.bytes;
    file_.parameter_count_ += tensor.elements;
  }
  if (file_.data_begin_ + end > file_bytes_) refuse_truncated(file_.data_begin_ + end);
}

template <typename Number>
Number GgufParser::read_number() {
  Number number;
  std::memcpy(&number, take(sizeof number).data(), sizeof number);
  return number;
}

// A count is plausible if the rest of the file can hold it at `bytes_each` bytes per entry.
std::uint64_t GgufParser::read_count(std::string_view what, std::uint64_t bytes_each,
                                     std::uint64_t maximum) {
  const auto count = read_number<std::uint64_t>();
  if (count > maximum) {
    refuse_corrupt("it claims " + std::to_string(count) + " " + std::string(what) + ", at most " +
                   std::to_string(maximum) + " are believable");
  }
  if (count > left_in_file() / bytes_each) refuse_truncated(position_ + count * bytes_each);
  return count;
}

std::string_view GgufParser::read_text(std::uint64_t maximum, const std::string& what) {
  const auto length = read_number<std::uint64_t>();
  if (length > maximum) {
    refuse_corrupt(what + " claims " + std::to_string(length) + " bytes, at most " +
                   std::to_string(maximum) + " are possible");
  }
  const auto text = take(length);
  return {text.data(), text.size()};
}

std::span<const char> GgufParser::take(std::uint64_t count) {
  if (count > left_in_file()) refuse_truncated(position_ + count);
  const std::uint64_t end = position_ + count;
  if (end > kMaximumHeaderBytes) {
    refuse_corrupt("its header goes on beyond " + std::to_string(kMaximumHeaderBytes) + " bytes");
  }
  if (end > bytes_.size()) throw GgufNeedsMore{end};
  const auto taken = bytes_.subspan(position_, count);
  position_ = end;
  return taken;
}

void GgufParser::refuse_truncated(std::uint64_t needed) const {
  throw Error(ErrorCode::kModelTruncated,
              quoted_path(file_.label_) + " ends too early: expected " + std::to_string(needed) +
                  " bytes or more, there are " + std::to_string(file_bytes_) +
                  "; download or copy it again.");
}

void GgufParser::refuse_corrupt(const std::string& what) const {
  throw Error(ErrorCode::kModelCorrupt, quoted_path(file_.label_) + " is damaged: " + what +
                                            "; download or convert it again.");
}

}  // namespace infernode
