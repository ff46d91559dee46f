// llama_vocab keeps each token in a list and in a hash map, and its text once more as a piece; each
// merge in another hash map, as two texts. llama.cpp does not tell what they take, so the sizes of
// these records stand here, as its sources (llama-vocab.cpp) and a 64-bit libstdc++ have them.
#include "model/vocabulary_memory.h"

#include <string_view>
#include <variant>
#include <vector>

namespace infernode {

namespace {

constexpr std::uint64_t kTextRecord = 32;     // std::string
constexpr std::uint64_t kLongestInside = 15;  // bytes of a text that its record holds itself
constexpr std::uint64_t kChunk = 16;          // malloc's: sizes are multiples of it
constexpr std::uint64_t kChunkHeader = 8;
constexpr std::uint64_t kBucket = 10;  // of a hash map, which has some buckets to spare

// An allocation of its own.
constexpr std::uint64_t allocated(std::uint64_t bytes) {
  return (bytes + kChunkHeader + kChunk - 1) / kChunk * kChunk;
}

constexpr std::uint64_t kTokenEntry = kTextRecord + 8;           // text, score, attributes
constexpr std::uint64_t kTokenNode = allocated(8 + 40 + 8);      // next, text and id, hash
constexpr std::uint64_t kMergeNode = allocated(8 + 64 + 8 + 8);  // next, two texts and rank, hash
constexpr std::uint64_t kPieceEnd = 4;                           // infernode's own
constexpr std::uint64_t kToken = kTokenEntry + kTokenNode + kBucket + kTextRecord + kPieceEnd;
constexpr std::uint64_t kMerge = kMergeNode + kBucket;
constexpr std::uint64_t kCopies = 3;  // of a token's text: list, map, pieces

std::uint64_t outside(std::size_t length) {
  return length <= kLongestInside ? 0 : allocated(length + 1);
}

std::vector<std::string_view> texts_of(const GgufFile& file, std::string_view key) {
  const GgufValue* value = file.find(key);
  const auto* array = value == nullptr ? nullptr : std::get_if<GgufArray>(&value->value);
  return array == nullptr ? std::vector<std::string_view>() : file.strings(*array);
}

}  // namespace

std::uint64_t vocabulary_memory(const GgufFile& file) {
  std::uint64_t bytes = 0;
  for (const std::string_view text : texts_of(file, "tokenizer.ggml.tokens"))
    bytes += kToken + text.size() + kCopies * outside(text.size());
  for (const std::string_view merge : texts_of(file, "tokenizer.ggml.merges")) {
    const std::size_t first = merge.find(' ', 1);
    bytes += kMerge;
    if (first == std::string_view::npos) continue;
    bytes += outside(first) + outside(merge.size() - first - 1);
  }
  return bytes;
}

}  // namespace infernode
