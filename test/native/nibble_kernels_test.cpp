// The unpacking loops: the worked example of AutoAWQ's word, and the vectorised loops against
// the portable ones at all odd sizes.
#include "checkpoint/nibble_kernels.h"

#include <random>
#include <vector>

#include "check.h"

using namespace infernode;

namespace {

std::vector<std::uint32_t> random_words(std::mt19937& random, std::size_t count) {
  std::vector<std::uint32_t> words(count);
  for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random());
  return words;
}

constexpr std::uint8_t kUntouched = 0xee;

template <typename Run>
void compare(std::size_t bytes, const Run& run) {
  const NibbleKernels* const fast = avx2_nibble_kernels();
  if (fast == nullptr) return;
  std::vector<std::uint8_t> expected(bytes + 64, kUntouched), got(bytes + 64, kUntouched);
  run(generic_nibble_kernels(), expected.data());
  run(*fast, got.data());
  CHECK(expected == got);
  CHECK_EQ(int{got[bytes]}, int{kUntouched});
}

TEST("AutoAWQ's word 0x86427531 holds 1 to 8 in its eight columns") {
  const std::uint32_t word = 0x86427531;
  std::uint8_t quants[8] = {};
  best_nibble_kernels().across(&word, 1, kAwqOrder, quants, 1);
  for (int column = 0; column < 8; ++column) CHECK_EQ(int{quants[column]}, column + 1);
}

TEST("a word in natural order holds its lowest bits first") {
  const std::uint32_t word = 0x87654321;
  std::uint8_t quants[8] = {};
  best_nibble_kernels().along(&word, 1, quants);
  for (int column = 0; column < 8; ++column) CHECK_EQ(int{quants[column]}, column + 1);
}

TEST("a block of gemv_fast is the shuffle that its maker describes") {
  // The maker's way, in two steps: [0 1 8 9 16 17 24 25, 2 3 10 11 ...], then each eight as
  // 0 2 4 6 1 3 5 7.
  std::uint8_t places[32];
  for (std::size_t major = 0; major < 4; ++major) {
    std::uint8_t eight[8];
    for (std::size_t n = 0; n < 8; ++n) {
      eight[n] = static_cast<std::uint8_t>(n / 2 * 8 + major * 2 + n % 2);
    }
    for (std::size_t n = 0; n < 8; ++n) places[8 * major + n] = eight[n < 4 ? 2 * n : 2 * n - 7];
  }
  for (std::size_t input = 0; input < 32; ++input) {
    std::uint8_t bytes[32] = {};
    for (std::size_t place = 0; place < 32; ++place) {
      if (places[place] == input) bytes[place / 2] = place % 2 == 0 ? 0x0f : 0xf0;
    }
    std::uint8_t quants[64];
    best_nibble_kernels().shuffled(bytes, 1, 128, quants);
    for (std::size_t n = 0; n < 64; ++n) CHECK_EQ(int{quants[n]}, n == input ? 15 : 0);
  }
}

TEST("this CPU's loops unpack along rows as the portable ones do") {
  std::mt19937 random(1);
  for (std::size_t count = 0; count <= 70; ++count) {
    const std::vector<std::uint32_t> words = random_words(random, count);
    compare(8 * count, [&](const NibbleKernels& kernels, std::uint8_t* out) {
      kernels.along(words.data(), count, out);
    });
  }
}

TEST("this CPU's loops unpack across rows as the portable ones do") {
  std::mt19937 random(2);
  for (const NibbleOrder& order : {kAwqOrder, kNaturalOrder}) {
    for (std::size_t count = 1; count <= 100; ++count) {
      const std::vector<std::uint32_t> words = random_words(random, count);
      const std::size_t stride = count + random() % 5;
      compare(7 * stride + count, [&](const NibbleKernels& kernels, std::uint8_t* out) {
        kernels.across(words.data(), count, order, out, stride);
      });
    }
  }
}

TEST("this CPU's loops transpose as the portable ones do") {
  std::mt19937 random(3);
  for (std::size_t rows = 1; rows <= 19; ++rows) {
    for (std::size_t columns = 1; columns <= 19; ++columns) {
      const std::size_t from_stride = columns + random() % 4, to_stride = rows + random() % 4;
      const std::vector<std::uint32_t> words = random_words(random, rows * from_stride);
      compare(4 * (columns * to_stride), [&](const NibbleKernels& kernels, std::uint8_t* out) {
        std::vector<std::uint32_t> to(columns * to_stride, 0xeeeeeeee);
        kernels.transpose(words.data(), from_stride, rows, columns, to.data(), to_stride);
        std::memcpy(out, to.data(), 4 * to.size());
        for (std::size_t c = 0; c < columns; ++c) {
          for (std::size_t r = 0; r < rows; ++r) {
            CHECK_EQ(to[c * to_stride + r], words[r * from_stride + c]);
          }
        }
      });
    }
  }
}

TEST("this CPU's loops unshuffle as the portable ones do") {
  std::mt19937 random(4);
  for (std::size_t pairs = 0; pairs <= 17; ++pairs) {
    const std::vector<std::uint32_t> words = random_words(random, 32 * pairs + 8);
    compare(64 * pairs, [&](const NibbleKernels& kernels, std::uint8_t* out) {
      kernels.shuffled(reinterpret_cast<const std::uint8_t*>(words.data()), pairs, 128, out);
    });
  }
}

}  // namespace
