// Reads the header event by event, so that a hostile one costs no more memory than its size; see
// safetensors_header.h.
#include "checkpoint/safetensors_header.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "checkpoint/json_events.h"
#include "checkpoint/refuse.h"

namespace infernode {

namespace {

constexpr std::size_t kMostDimensions = 8;
constexpr std::uint64_t kMostLength = std::uint64_t{1} << 40;  // of one dimension
constexpr std::size_t kMostNameBytes = 1024;
constexpr std::string_view kMetadata = "__metadata__";

struct DtypeEntry {
  std::string_view text;
  TensorDtype dtype;
  std::uint64_t bits;
};
// Every type of the format; those that no supported model uses are kOther.
constexpr std::array<DtypeEntry, 21> kDtypes = {{
    {"F64", TensorDtype::kF64, 64},      {"F32", TensorDtype::kF32, 32},
    {"F16", TensorDtype::kF16, 16},      {"BF16", TensorDtype::kBf16, 16},
    {"I64", TensorDtype::kI64, 64},      {"I32", TensorDtype::kI32, 32},
    {"I16", TensorDtype::kI16, 16},      {"I8", TensorDtype::kI8, 8},
    {"U8", TensorDtype::kU8, 8},         {"BOOL", TensorDtype::kBool, 8},
    {"U16", TensorDtype::kOther, 16},    {"U32", TensorDtype::kOther, 32},
    {"U64", TensorDtype::kOther, 64},    {"C64", TensorDtype::kOther, 64},
    {"F8_E5M2", TensorDtype::kOther, 8}, {"F8_E4M3", TensorDtype::kOther, 8},
    {"F8_E8M0", TensorDtype::kOther, 8}, {"F8_E4M3FNUZ", TensorDtype::kOther, 8},
    {"F6_E2M3", TensorDtype::kOther, 6}, {"F6_E3M2", TensorDtype::kOther, 6},
    {"F4", TensorDtype::kOther, 4},
}};

// Collects the entries one by one: {"name": {"dtype": …, "shape": […], "data_offsets": […]}}.
class HeaderReader : public JsonEvents {
 public:
  HeaderReader(std::uint64_t data_begin, std::uint32_t file)
      : data_begin_(data_begin), file_(file) {}
  std::vector<StoredTensor> take() { return std::move(tensors_); }

  bool key(string_t& name) override {
    if (depth() == 1) return begin_entry(name);
    if (in_metadata_) return true;
    if (name == "dtype") return begin_field(Field::kDtype);
    if (name == "shape") return begin_field(Field::kShape);
    if (name == "data_offsets") return begin_field(Field::kOffsets);
    return refuse_tensor("has an unknown field " + quoted_name(name) +
                         ", expected dtype, shape and data_offsets");
  }

 protected:
  bool value(Json&& scalar) override {
    if (depth() == 0) return refuse("no JSON object");
    if (in_metadata_) {
      if (depth() == 1 ? scalar.is_null() : scalar.is_string()) return true;
      return refuse("__metadata__ is not an object of strings");
    }
    if (depth() == 1) return refuse_tensor("is not an object");
    if (depth() == 2) return take_dtype(scalar);
    return take_number(scalar);
  }
  bool begin_object() override {
    if (depth() <= 2) return true;
    return in_metadata_ ? refuse("__metadata__ is not an object of strings")
                        : refuse_tensor("has an object where a list is expected");
  }
  bool begin_array() override {
    if (depth() == 1) return refuse("no JSON object");
    if (in_metadata_) return refuse("__metadata__ is not an object of strings");
    if (depth() == 3 && field_ != Field::kDtype) return true;
    return refuse_tensor("has a list in an unexpected place");
  }
  bool finish_array() override { return true; }
  bool finish_object() override {
    if (depth() == 0 || in_metadata_) return true;
    return finish_entry();
  }

 private:
  enum class Field { kDtype, kShape, kOffsets };

  bool begin_entry(string_t& name) {
    in_metadata_ = name == kMetadata;
    if (in_metadata_) {
      if (metadata_seen_) return refuse("duplicate key '__metadata__'");
      return metadata_seen_ = true;
    }
    if (tensors_.size() >= kMostTensors)
      return refuse("more than " + std::to_string(kMostTensors) + " tensors");
    if (name.empty() || name.size() > kMostNameBytes || !is_plain_text(name))
      return refuse("a tensor name that is empty, longer than " + std::to_string(kMostNameBytes) +
                    " bytes or no plain text");
    tensor_ = StoredTensor();
    tensor_.name = std::move(name);
    tensor_.file = file_;
    bits_ = 0;
    offset_count_ = 0;
    seen_ = {};
    return true;
  }
  bool begin_field(Field field) {
    field_ = field;
    if (std::exchange(seen_[static_cast<std::size_t>(field)], true))
      return refuse_tensor("has a field twice");
    return true;
  }
  bool take_dtype(const Json& scalar) {
    if (field_ != Field::kDtype) return refuse_tensor("has a field that is not a list");
    const auto* text = scalar.get_ptr<const std::string*>();
    if (text == nullptr) return refuse_tensor("has a dtype that is not a string");
    const auto* entry = std::ranges::find(kDtypes, *text, &DtypeEntry::text);
    if (entry == kDtypes.end()) return refuse_tensor("has the unknown dtype " + quoted_name(*text));
    tensor_.dtype = entry->dtype;
    tensor_.dtype_text = *text;
    bits_ = entry->bits;
    return true;
  }
  bool take_number(const Json& scalar) {
    if (!scalar.is_number_unsigned())
      return refuse_tensor(field_ == Field::kShape ? "has a shape that is not a list of integers"
                                                   : "has data_offsets that are not two integers");
    const auto number = scalar.get<std::uint64_t>();
    if (field_ == Field::kOffsets) {
      if (offset_count_ == 2) return refuse_tensor("has more than two data_offsets");
      offsets_[offset_count_++] = number;
      return true;
    }
    if (tensor_.shape.size() == kMostDimensions)
      return refuse_tensor("has more than " + std::to_string(kMostDimensions) + " dimensions");
    if (number == 0 || number > kMostLength)
      return refuse_tensor("has a dimension of " + std::to_string(number) + ", expected 1 to 2^40");
    tensor_.shape.push_back(number);
    return true;
  }

  bool finish_entry() {
    constexpr std::array<const char*, 3> kNames = {"dtype", "shape", "data_offsets"};
    for (std::size_t i = 0; i < kNames.size(); ++i)
      if (!seen_[i]) return refuse_tensor(std::string("has no ") + kNames[i]);
    if (offset_count_ != 2) return refuse_tensor("has data_offsets that are not two integers");
    const auto [begin, end] = offsets_;
    if (begin > end) return refuse_tensor("begins after its end");
    std::uint64_t bits = bits_;
    for (const std::uint64_t length : tensor_.shape)
      if (__builtin_mul_overflow(bits, length, &bits))
        return refuse_tensor("has a shape of more than 2^64 bits");
    if (bits % 8 != 0 || bits / 8 != end - begin)
      return refuse_tensor("has " + std::to_string(end - begin) + " bytes, expected " +
                           std::to_string(bits / 8) + " of its shape and dtype " +
                           tensor_.dtype_text);
    if (__builtin_add_overflow(data_begin_, begin, &tensor_.begin) ||
        end > std::numeric_limits<std::uint64_t>::max() - data_begin_)
      return refuse_tensor("has data_offsets beyond 2^64");
    tensor_.bytes = end - begin;
    tensor_.shape.shrink_to_fit();
    tensors_.push_back(std::move(tensor_));
    return true;
  }
  bool refuse_tensor(const std::string& what) {
    return refuse("tensor " + quoted_name(tensor_.name) + " " + what);
  }

  std::uint64_t data_begin_;
  std::uint32_t file_;
  std::vector<StoredTensor> tensors_;
  bool metadata_seen_ = false;
  // State of the current entry:
  bool in_metadata_ = false;
  StoredTensor tensor_;
  Field field_ = Field::kDtype;
  std::array<bool, 3> seen_{};
  std::array<std::uint64_t, 2> offsets_{};
  std::size_t offset_count_ = 0;
  std::uint64_t bits_ = 0;  // of one element
};

// Each tensor must begin where the previous one ends, from the header to the end of the file.
void check_tiling(const std::vector<StoredTensor>& tensors, std::uint64_t data_begin,
                  std::uint64_t file_bytes, const std::string& path) {
  std::vector<const StoredTensor*> by_place;
  by_place.reserve(tensors.size());
  for (const StoredTensor& tensor : tensors) by_place.push_back(&tensor);
  std::ranges::sort(by_place, {}, &StoredTensor::begin);
  std::uint64_t end = data_begin;
  for (const StoredTensor* tensor : by_place) {
    const std::string named = "tensor " + quoted_name(tensor->name);
    if (tensor->begin < end)
      refuse_file(ErrorCode::kModelCorrupt, path,
                  "has overlapping data: " + named +
                      " begins inside the tensor before it; download it again.");
    if (tensor->begin > end)
      refuse_file(ErrorCode::kModelCorrupt, path,
                  "has a hole of " + std::to_string(tensor->begin - end) + " bytes before " +
                      named + "; download it again.");
    end = tensor->begin + tensor->bytes;
    if (end > file_bytes)
      refuse_file(ErrorCode::kModelTruncated, path,
                  "ends too early: " + named + " needs " + std::to_string(end) +
                      " bytes, there are " + std::to_string(file_bytes) + "; download it again.");
  }
  if (end < file_bytes)
    refuse_file(ErrorCode::kModelCorrupt, path,
                "has " + std::to_string(file_bytes - end) +
                    " bytes behind its last tensor; download it again.");
}

// Identifies what the file is instead, and says what to do about it.
std::string_view hint_for(std::string_view bytes) {
  if (bytes.starts_with("version https://git-lfs"))
    return "It is a Git LFS pointer: run 'git lfs pull' to fetch the file itself.";
  if (bytes.starts_with("# xet version") || bytes.starts_with("version https://xet"))
    return "It is a Xet pointer: download the file itself from the hub.";
  if (bytes.starts_with("GGUF")) return "It is a GGUF file: name it itself, with the ending .gguf.";
  if (bytes.starts_with("PK\x03\x04") || bytes.starts_with("\x80\x02"))
    return "It is a PyTorch pickle file: download the safetensors version of the model.";
  if (bytes.starts_with("<!") || bytes.starts_with("<html"))
    return "It is a web page: use the file's download link (…/resolve/…), signed in if needed.";
  if (!bytes.empty() && std::ranges::all_of(bytes, [](char c) { return c == 0; }))
    return "Its beginning is all zeros: the download did not finish.";
  return "Download it again.";
}

}  // namespace

std::string_view dtype_name(TensorDtype dtype) {
  if (dtype == TensorDtype::kOther) return "other";
  return std::ranges::find(kDtypes, dtype, &DtypeEntry::dtype)->text;
}

std::size_t dtype_bytes(TensorDtype dtype) {
  if (dtype == TensorDtype::kOther) return 0;
  return std::ranges::find(kDtypes, dtype, &DtypeEntry::dtype)->bits / 8;
}

std::uint64_t safetensors_header_length(std::string_view beginning, std::uint64_t file_bytes,
                                        const std::string& path) {
  const std::string hint(hint_for(beginning));
  if (file_bytes < kSafetensorsPrefix + 2 || beginning.size() < kSafetensorsPrefix) {
    refuse_file(ErrorCode::kModelTruncated, path,
                "is not a safetensors file: it has " + std::to_string(file_bytes) +
                    " bytes, expected 10 or more. " + hint);
  }
  std::uint64_t length = 0;
  std::memcpy(&length, beginning.data(), sizeof length);
  if (length < 2 || length > kMostSafetensorsHeader) {
    refuse_file(ErrorCode::kModelCorrupt, path,
                "is not a safetensors file: its header would have " + std::to_string(length) +
                    " bytes, expected 2 to " + std::to_string(kMostSafetensorsHeader) + ". " +
                    hint);
  }
  if (length > file_bytes - kSafetensorsPrefix) {
    refuse_file(ErrorCode::kModelTruncated, path,
                "ends inside its header of " + std::to_string(length) + " bytes, there are " +
                    std::to_string(file_bytes) + ". " + hint);
  }
  return length;
}

std::vector<StoredTensor> parse_safetensors_header(std::string_view header,
                                                   std::uint64_t file_bytes,
                                                   const std::string& path, std::uint32_t file) {
  const std::uint64_t data_begin = kSafetensorsPrefix + header.size();
  HeaderReader reader(data_begin, file);
  read_json(header, reader, quoted_path(path));
  std::vector<StoredTensor> tensors = reader.take();
  check_tiling(tensors, data_begin, file_bytes, path);
  std::ranges::sort(tensors, {}, &StoredTensor::name);
  const auto twice = std::ranges::adjacent_find(tensors, {}, &StoredTensor::name);
  if (twice != tensors.end())
    refuse_file(ErrorCode::kModelCorrupt, path,
                "has tensor " + quoted_name(twice->name) + " twice.");
  return tensors;
}

}  // namespace infernode
