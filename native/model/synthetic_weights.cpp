// The layouts of blocks are ggml's (ggml-common.h).
#include "model/synthetic_weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace infernode {

namespace {

constexpr std::uint64_t kBlock = 32;                              // elements
constexpr std::uint64_t kWordsPerBlock = 8;                       // at most, of 64 random bits each
constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;          // splitmix64's step
constexpr std::array<std::uint32_t, 5> kTypes = {0, 1, 8, 2, 3};  // ggml's type numbers
constexpr std::uint32_t kF16 = 1, kQ4_0 = 2, kQ4_1 = 3, kQ8_0 = 8;
constexpr std::size_t kMostBlockBytes = 4 * kBlock;

std::uint64_t mixed(std::uint64_t word) {
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
  word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
  return word ^ (word >> 31);
}

std::uint64_t key_of(const SyntheticTensor& tensor, std::uint64_t seed) {
  std::uint64_t key = mixed(seed + kGolden);
  for (const char letter : tensor.name) key = mixed(key ^ static_cast<unsigned char>(letter));
  return key;
}

// Converts a number in half precision's normal range, rounding to nearest.
std::uint16_t half_of(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000);
  const float size = std::abs(number);
  if (size < 0x1p-14f)  // subnormal: a multiple of 2^-24
    return static_cast<std::uint16_t>(sign |
                                      static_cast<std::uint16_t>(std::lround(size * 0x1p24f)));
  const std::uint32_t rounded = (bits & 0x7fffffff) + 0xfff + ((bits >> 13) & 1);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000) >> 13));
}

template <typename Number>
void put(char* out, std::size_t index, Number number) {
  std::memcpy(out + index * sizeof number, &number, sizeof number);
}

// The bytes of one block from its random words.
using Words = std::array<std::uint64_t, kWordsPerBlock>;

float even(const SyntheticTensor& tensor, const Words& words, std::size_t index) {
  const auto bits = static_cast<std::uint16_t>(words[index / 4] >> (16 * (index % 4)));
  return tensor.center + tensor.spread * ((static_cast<float>(bits) + 0.5f) / 32768.0f - 1);
}

void write_q8(const SyntheticTensor& tensor, const Words& words, char* out) {
  put(out, 0, half_of(tensor.spread / 127));
  std::memcpy(out + 2, words.data(), kBlock);
  // ggml's kernels expect -127 to 127.
  for (char* byte = out + 2; byte < out + 2 + kBlock; ++byte) {
    if (*byte == static_cast<char>(-128)) *byte = 0;
  }
}

// Nibbles 1 to 15 stand for -7 to 7; a random 0 becomes the middle, 8.
void write_q4_0(const SyntheticTensor& tensor, const Words& words, char* out) {
  put(out, 0, half_of(tensor.spread / 7));
  std::memcpy(out + 2, words.data(), kBlock / 2);
  for (char* byte = out + 2; byte < out + 2 + kBlock / 2; ++byte) {
    const auto pair = static_cast<unsigned char>(*byte);
    const unsigned low = (pair & 15) == 0 ? 8 : pair & 15;
    const unsigned high = (pair >> 4) == 0 ? 8 : pair >> 4;
    *byte = static_cast<char>(high << 4 | low);
  }
}

void write_q4_1(const SyntheticTensor& tensor, const Words& words, char* out) {
  put(out, 0, half_of(tensor.spread * 2 / 15));
  put(out, 1, half_of(-tensor.spread));
  std::memcpy(out + 4, words.data(), kBlock / 2);
}

void write_block(const SyntheticTensor& tensor, std::uint64_t key, std::uint64_t block, char* out) {
  Words words;
  for (std::uint64_t i = 0; i < kWordsPerBlock; ++i)
    words[i] = mixed(key + (block * kWordsPerBlock + i + 1) * kGolden);
  switch (tensor.type->number) {
    case kF16:
      for (std::size_t i = 0; i < kBlock; ++i) put(out, i, half_of(even(tensor, words, i)));
      return;
    case kQ8_0:
      return write_q8(tensor, words, out);
    case kQ4_0:
      return write_q4_0(tensor, words, out);
    case kQ4_1:
      return write_q4_1(tensor, words, out);
    default:
      for (std::size_t i = 0; i < kBlock; ++i) put(out, i, even(tensor, words, i));
  }
}

}  // namespace

std::uint64_t SyntheticTensor::bytes() const {
  std::uint64_t elements = 1;
  for (const std::uint64_t length : shape) elements *= length;
  return elements / type->block_elements * type->block_bytes;
}

const GgufTensorType* synthetic_type(std::string_view name) {
  for (const std::uint32_t number : kTypes) {
    const GgufTensorType* type = gguf_tensor_type(number);
    if (type->name == name) return type;
  }
  return nullptr;
}

void write_weights(const SyntheticTensor& tensor, std::uint64_t seed, std::uint64_t offset,
                   std::span<char> out) {
  const std::uint64_t key = key_of(tensor, seed);
  const std::uint64_t size = kBlock / tensor.type->block_elements * tensor.type->block_bytes;
  std::array<char, kMostBlockBytes> piece;
  while (!out.empty()) {
    const std::uint64_t block = offset / size;
    const auto within = static_cast<std::size_t>(offset % size);
    const std::size_t count = std::min(out.size(), static_cast<std::size_t>(size) - within);
    if (count == size) {
      write_block(tensor, key, block, out.data());
    } else {
      write_block(tensor, key, block, piece.data());
      std::memcpy(out.data(), piece.data() + within, count);
    }
    offset += count;
    out = out.subspan(count);
  }
}

}  // namespace infernode
