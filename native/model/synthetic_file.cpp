#include "model/synthetic_file.h"

#include <string_view>
#include <unordered_set>
#include <utility>

#include "core/types.h"
#include "model/gguf_reads.h"
#include "model/gguf_text.h"
#include "model/synthetic_plan.h"

namespace infernode {

namespace {

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kTokenTypes = "tokenizer.ggml.token_type";
constexpr std::int32_t kNormalToken = 1;
constexpr std::string_view kSpace = "\xc4\xa0";  // how byte-level BPE spells a space

// Made-up words of three or more syllables, each unique: the tokens added to the tokenizer's
// vocabulary. No merge produces them, so no text is encoded with them.
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

// Copies the tokenizer and extends it to as many tokens as the shape asks for.
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
    const std::uint64_t bytes = tensor.bytes();
    header.tensor(tensor.name, tensor.shape, tensor.type->number, bytes);
    tensors_.push_back({begin, bytes, std::move(tensor)});
  }
  header_ = header.header();
  data_bytes_ = header.data_bytes();
  for (Placed& placed : tensors_) placed.begin += header_.size();
}

GgufFile SyntheticFile::parse() const { return GgufFile::parse(header_, size(), label()); }

void SyntheticFile::read(std::uint64_t position, std::span<char> out) const {
  read_placed(header_, tensors_, size(), position, out,
              [&](const Placed& placed, std::uint64_t within, std::span<char> part) {
                write_weights(placed.tensor, shape_.seed, within, part);
              });
}

}  // namespace infernode
