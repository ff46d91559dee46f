// Opens the file, reads as much as the header needs and passes the bytes to GgufParser; identifies
// files that are not GGUF. See gguf_file.h.
#include "model/gguf_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "core/types.h"
#include "model/gguf_parser.h"
#include "model/gguf_reader.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFirstRead = 1u << 20;
constexpr std::string_view kMagic = "GGUF";

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, FileCloser>;

[[noreturn]] void refuse(ErrorCode code, const std::string& label, const std::string& why) {
  throw Error(code, quoted_path(label) + " " + why);
}

std::uint64_t regular_file_size(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    refuse(ErrorCode::kModelNotFound, path,
           "does not exist; check the path, relative ones start at the working directory.");
  }
  if (status.type() == fs::file_type::directory) {
    refuse(ErrorCode::kModelUnreadable, path,
           "is a directory, expected a GGUF file; name the .gguf file inside it.");
  }
  if (status.type() != fs::file_type::regular) {
    refuse(ErrorCode::kModelUnreadable, path,
           error ? "cannot be read: " + error.message() + "."
                 : "is not a regular file, expected a GGUF file on disk.");
  }
  const std::uint64_t size = fs::file_size(path, error);
  if (error) refuse(ErrorCode::kModelUnreadable, path, "cannot be read: " + error.message() + ".");
  return size;
}

// Extends `bytes` to the first `wanted` bytes of the file.
void read_up_to(std::FILE* file, std::string& bytes, std::uint64_t wanted,
                const std::string& path) {
  const std::size_t had = bytes.size();
  bytes.resize(wanted);
  const std::size_t got = std::fread(bytes.data() + had, 1, wanted - had, file);
  if (had + got == wanted) return;
  const std::string reason = std::ferror(file) ? std::strerror(errno) : "it shrank meanwhile";
  refuse(ErrorCode::kModelUnreadable, path, "cannot be read: " + reason + ".");
}

bool starts_with_ignoring_case(std::string_view text, std::string_view lower_prefix) {
  return text.size() >= lower_prefix.size() &&
         std::equal(lower_prefix.begin(), lower_prefix.end(), text.begin(),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
}

// What people pass instead of a GGUF file, and what to do about it.
std::string_view hint_for(std::string_view bytes) {
  if (bytes.starts_with("version https://git-lfs")) {
    return "It is a Git LFS pointer: run 'git lfs pull' to fetch the file itself.";
  }
  if (starts_with_ignoring_case(bytes, "<!doctype") || starts_with_ignoring_case(bytes, "<html")) {
    return "It is a web page: use the file's download link (…/resolve/…), signed in if needed.";
  }
  if (bytes.size() > 8 && bytes[8] == '{') {
    return "It looks like safetensors: convert it with llama.cpp's convert_hf_to_gguf.py.";
  }
  if (bytes.starts_with("PK\x03\x04")) {
    return "It is a zip archive, perhaps a PyTorch checkpoint: unpack or convert it.";
  }
  if (bytes.starts_with("\x1f\x8b")) return "It is gzip-compressed: unpack it.";
  if (bytes.starts_with("\x28\xb5\x2f\xfd")) return "It is zstd-compressed: unpack it.";
  if (bytes.starts_with('{') || bytes.starts_with('[')) {
    return "It looks like JSON: name the .gguf file instead.";
  }
  constexpr std::array<std::string_view, 5> kOld = {"lmgg", "fmgg", "tjgg", "algg", "ggml"};
  if (std::ranges::find(kOld, bytes.substr(0, 4)) != kOld.end()) {
    return "It is a GGML file of 2023: download the model as GGUF.";
  }
  if (std::ranges::all_of(bytes, [](char c) { return c == 0; })) {
    return "Its beginning is all zeros: the download did not finish.";
  }
  return "Download or convert the model as GGUF.";
}

void check_magic(std::string_view bytes, std::uint64_t file_bytes, const std::string& label) {
  const std::string_view first = bytes.substr(0, kMagic.size());
  if (first == kMagic) return;
  if (kMagic.starts_with(first) && file_bytes < kMagic.size()) {
    refuse(ErrorCode::kModelTruncated, label,
           "ends too early: expected 24 bytes or more, there are " + std::to_string(file_bytes) +
               "; download or copy it again.");
  }
  std::string hex;
  for (const char c : first) {
    std::array<char, 4> pair{};
    std::snprintf(pair.data(), pair.size(), "%02x ", static_cast<unsigned char>(c));
    hex += pair.data();
  }
  refuse(ErrorCode::kModelNotGguf, label,
         "is not a GGUF file: it starts with " + hex + "('" + printable(first) +
             "'), expected 47 47 55 46 ('GGUF'). " + std::string(hint_for(bytes.substr(0, 64))));
}

}  // namespace

GgufFile GgufFile::read(const std::string& path) {
  const std::uint64_t file_bytes = regular_file_size(path);
  const FileHandle file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) {
    refuse(errno == ENOENT ? ErrorCode::kModelNotFound : ErrorCode::kModelUnreadable, path,
           std::string("cannot be opened: ") + std::strerror(errno) + ".");
  }
  std::string bytes;
  std::uint64_t wanted = std::min<std::uint64_t>(file_bytes, kFirstRead);
  for (;;) {
    read_up_to(file.get(), bytes, wanted, path);
    try {
      check_magic(bytes, file_bytes, path);
      return GgufParser(bytes, file_bytes, path).parse();
    } catch (const GgufNeedsMore& more) {
      // Four times as many bytes each round: reparsing costs a third in all.
      wanted = std::min(file_bytes, std::max(more.bytes, std::uint64_t{4} * bytes.size()));
    }
  }
}

GgufFile GgufFile::parse(std::span<const char> bytes, std::uint64_t file_bytes,
                         const std::string& label) {
  check_magic({bytes.data(), bytes.size()}, file_bytes, label);
  try {
    return GgufParser(bytes, file_bytes, label).parse();
  } catch (const GgufNeedsMore& more) {
    refuse(ErrorCode::kModelTruncated, label,
           "has a header of " + std::to_string(more.bytes) + " bytes or more, there are " +
               std::to_string(bytes.size()) + ".");
  }
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto found = key_index_.find(key);
  return found == key_index_.end() ? nullptr : &metadata_[found->second].value;
}

const GgufTensor* GgufFile::tensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

std::string_view GgufFile::string(std::string_view key) const {
  const GgufValue* value = find(key);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(&value->value);
  return text == nullptr ? std::string_view() : *text;
}

std::int64_t GgufFile::integer(std::string_view key, std::int64_t fallback) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return fallback;
  if (const auto* number = std::get_if<std::int64_t>(&value->value)) return *number;
  if (const auto* number = std::get_if<std::uint64_t>(&value->value)) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(*number, INT64_MAX));
  }
  return fallback;
}

std::vector<std::string_view> GgufFile::strings(const GgufArray& array) const {
  std::vector<std::string_view> texts;
  if (array.element_type != GgufType::kString || header_.empty()) return texts;
  texts.reserve(array.length);
  std::size_t at = array.begin;  // the parser checked every length below
  while (at < array.end) {
    std::uint64_t length;
    std::memcpy(&length, header_.data() + at, sizeof length);
    at += sizeof length;
    texts.emplace_back(header_.data() + at, length);
    at += length;
  }
  return texts;
}

namespace {

template <typename Number>
void append_as(std::string_view bytes, std::vector<std::int64_t>& numbers) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(Number)) {
    Number number;
    std::memcpy(&number, bytes.data() + at, sizeof number);
    numbers.push_back(static_cast<std::int64_t>(number));
  }
}

}  // namespace

std::vector<std::int64_t> GgufFile::integers(const GgufArray& array) const {
  std::vector<std::int64_t> numbers;
  const std::string_view bytes = bytes_of(array);
  switch (array.element_type) {
    case GgufType::kUint8:
      append_as<std::uint8_t>(bytes, numbers);
      break;
    case GgufType::kInt8:
      append_as<std::int8_t>(bytes, numbers);
      break;
    case GgufType::kUint16:
      append_as<std::uint16_t>(bytes, numbers);
      break;
    case GgufType::kInt16:
      append_as<std::int16_t>(bytes, numbers);
      break;
    case GgufType::kUint32:
      append_as<std::uint32_t>(bytes, numbers);
      break;
    case GgufType::kInt32:
      append_as<std::int32_t>(bytes, numbers);
      break;
    case GgufType::kUint64:
      append_as<std::uint64_t>(bytes, numbers);
      break;
    case GgufType::kInt64:
      append_as<std::int64_t>(bytes, numbers);
      break;
    default:
      break;
  }
  return numbers;
}

}  // namespace infernode
