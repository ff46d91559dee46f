#include "model/synthetic_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "core/types.h"
#include "model/gguf_parser.h"
#include "model/synthetic_plan.h"

namespace infernode {

namespace {

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kTokenTypes = "tokenizer.ggml.token_type";
constexpr std::int32_t kNormalToken = 1;
constexpr std::string_view kSpace = "\xc4\xa0";  // how byte-level BPE spells a space
constexpr std::size_t kBufferBytes = std::size_t{4} << 20;

// Words of three syllables and more, each its own: what the vocabulary has beyond the
// tokenizer's. Nothing merges into them, so no text is encoded with them.
std::string made_word(std::size_t index) {
  constexpr std::string_view kConsonants = "bdfgklmnprstvz";
  constexpr std::string_view kVowels = "aeiou";
  std::string word(kSpace);
  for (int syllable = 0; syllable < 3 || index > 0; ++syllable) {
    word += kConsonants[index % kConsonants.size()];
    index /= kConsonants.size();
    word += kVowels[index % kVowels.size()];
    index /= kVowels.size();
  }
  return word;
}

std::vector<std::string> extended(std::span<const std::string_view> own, std::size_t count) {
  std::vector<std::string> tokens(own.begin(), own.end());
  const std::unordered_set<std::string_view> known(own.begin(), own.end());
  for (std::size_t index = 0; tokens.size() < count; ++index) {
    std::string word = made_word(index);
    if (!known.contains(word)) tokens.push_back(std::move(word));
  }
  return tokens;
}

const GgufArray& array_of(const GgufFile& file, std::string_view key) {
  const GgufValue* value = file.find(key);
  const auto* array = value == nullptr ? nullptr : std::get_if<GgufArray>(&value->value);
  INFERNODE_CHECK(array != nullptr, "the tokenizer's file has no " + std::string(key));
  return *array;
}

void copy_value(const GgufFile& file, const GgufEntry& entry, GgufWriter& header) {
  const auto& value = entry.value.value;
  if (const auto* text = std::get_if<std::string>(&value)) {
    header.text(entry.key, *text);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    header.flag(entry.key, *flag);
  } else if (entry.value.type == GgufType::kUint32) {
    header.whole(entry.key, static_cast<std::uint32_t>(std::get<std::uint64_t>(value)));
  } else {
    const auto* array = std::get_if<GgufArray>(&value);
    INFERNODE_CHECK(array != nullptr && array->element_type == GgufType::kString,
                    "the tokenizer's " + entry.key + " cannot be copied");
    header.texts(entry.key, file.strings(*array));
  }
}

// Copies the tokenizer and gives it as many tokens as the shape asks for.
void write_tokenizer(const GgufFile& file, const SyntheticShape& shape, GgufWriter& header) {
  const std::vector<std::string_view> own = file.strings(array_of(file, kTokens));
  const auto count = static_cast<std::size_t>(shape.vocabulary);
  if (count < own.size()) {
    throw Error(ErrorCode::kInvalidOption,
                "A synthetic vocabulary has " + std::to_string(own.size()) +
                    " tokens or more, not " + std::to_string(count) + ".");
  }
  const std::vector<std::int64_t> own_types = file.integers(array_of(file, kTokenTypes));
  std::vector<std::int32_t> types(own_types.begin(), own_types.end());
  types.resize(count, kNormalToken);
  for (const GgufEntry& entry : file.metadata()) {
    if (!entry.key.starts_with("tokenizer.") || entry.key == kTokens || entry.key == kTokenTypes)
      continue;
    copy_value(file, entry, header);
  }
  header.texts(kTokens, extended(own, count));
  header.integers(kTokenTypes, types);
}

[[noreturn]] void refuse_stream(const SyntheticFile& file) {
  throw Error(ErrorCode::kModelLoadFailed,
              quoted_path(file.label()) + " cannot be made: " + std::strerror(errno) + ".");
}

}  // namespace

SyntheticFile::SyntheticFile(SyntheticShape shape) : shape_(std::move(shape)) {
  const GgufFile tokenizer = GgufFile::read(shape_.tokenizer);
  if (shape_.vocabulary == 0)
    shape_.vocabulary = static_cast<std::int32_t>(array_of(tokenizer, kTokens).length);
  GgufWriter header;
  write_hyperparameters(shape_, header);
  write_tokenizer(tokenizer, shape_, header);
  for (SyntheticTensor& tensor : synthetic_tensors(shape_)) {
    const std::uint64_t begin = header.data_bytes();
    header.tensor(tensor.name, tensor.shape, tensor.type->number, tensor.bytes());
    tensors_.push_back({begin, std::move(tensor)});
  }
  header_ = header.header();
  data_bytes_ = header.data_bytes();
  for (Placed& placed : tensors_) placed.begin += header_.size();
}

GgufFile SyntheticFile::parse() const { return GgufFile::parse(header_, size(), label()); }

void SyntheticFile::read(std::uint64_t position, std::span<char> out) const {
  if (position < header_.size()) {
    const std::size_t count = std::min(out.size(), header_.size() - position);
    std::memcpy(out.data(), header_.data() + position, count);
    position += count;
    out = out.subspan(count);
  }
  const auto after = std::ranges::upper_bound(tensors_, position, {}, &Placed::begin);
  for (auto placed = after == tensors_.begin() ? after : after - 1;
       !out.empty() && placed != tensors_.end(); ++placed) {
    const std::uint64_t within = position - placed->begin;
    const std::uint64_t left = placed->tensor.bytes() - std::min(within, placed->tensor.bytes());
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, out.size()));
    write_weights(placed->tensor, shape_.seed, within, out.first(count));
    const std::uint64_t end = placed + 1 == tensors_.end() ? size() : placed[1].begin;
    const auto padding =
        std::min(out.size() - count, static_cast<std::size_t>(end - position - count));
    std::memset(out.data() + count, 0, padding);
    position += count + padding;
    out = out.subspan(count + padding);
  }
}

FileHandle written_synthetic(const SyntheticFile& file) {
  FileHandle written(std::tmpfile());
  if (written == nullptr) refuse_stream(file);
  std::vector<char> buffer(kBufferBytes);
  for (std::uint64_t at = 0; at < file.size(); at += buffer.size()) {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(file.size() - at, buffer.size()));
    file.read(at, std::span(buffer).first(count));
    if (std::fwrite(buffer.data(), 1, count, written.get()) != count) refuse_stream(file);
  }
  if (std::fflush(written.get()) != 0) refuse_stream(file);
  std::rewind(written.get());
  return written;
}

#ifdef __linux__

namespace {

// What fopencookie() carries: the file and the place in it.
struct Cookie {
  std::shared_ptr<const SyntheticFile> file;
  std::uint64_t position = 0;
};

ssize_t read_cookie(void* cookie, char* out, std::size_t wanted) {
  auto& [file, position] = *static_cast<Cookie*>(cookie);
  const std::uint64_t left = file->size() - std::min(position, file->size());
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, left));
  file->read(position, {out, count});
  position += count;
  return static_cast<ssize_t>(count);
}

int seek_cookie(void* cookie, off64_t* offset, int whence) {
  auto& [file, position] = *static_cast<Cookie*>(cookie);
  std::int64_t from = 0;
  if (whence == SEEK_CUR) from = static_cast<std::int64_t>(position);
  if (whence == SEEK_END) from = static_cast<std::int64_t>(file->size());
  if (from + *offset < 0) return -1;
  *offset += from;
  position = static_cast<std::uint64_t>(*offset);
  return 0;
}

int close_cookie(void* cookie) {
  delete static_cast<Cookie*>(cookie);
  return 0;
}

}  // namespace

FileHandle open_synthetic(std::shared_ptr<const SyntheticFile> file) {
  const SyntheticFile& named = *file;
  std::unique_ptr<Cookie> cookie(new Cookie{std::move(file)});
  FileHandle stream(
      fopencookie(cookie.get(), "rb", {read_cookie, nullptr, seek_cookie, close_cookie}));
  if (stream == nullptr) refuse_stream(named);
  static_cast<void>(cookie.release());
  // Without it glibc asks for a few bytes at a time.
  std::setvbuf(stream.get(), nullptr, _IOFBF, kBufferBytes);
  return stream;
}

#else

FileHandle open_synthetic(std::shared_ptr<const SyntheticFile> file) {
  return written_synthetic(*file);
}

#endif

}  // namespace infernode
