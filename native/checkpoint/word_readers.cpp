#include "checkpoint/word_readers.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "checkpoint/module_tensors.h"

namespace infernode {
namespace {

constexpr std::size_t kTileRows = 256;  // stored rows read at a time
constexpr std::size_t kTileWords = 8;   // words of each row transposed at a time

// Extracts the numbers of one row from words in natural order.
void unpack_along(const std::uint32_t* words, std::size_t count, int bits, std::uint8_t* numbers) {
  if (bits == 8) {
    std::memcpy(numbers, words, 4 * count);
  } else {
    best_nibble_kernels().along(words, count, numbers);
  }
}

class WordsAlong final : public QuantReader {
 public:
  WordsAlong(WordTensor words, MatrixShape shape) : words_(words), shape_(shape) {}

  void read(std::size_t first, std::size_t count, std::uint8_t* quants) const override {
    const std::size_t width = static_cast<std::size_t>(words_.tensor->shape[1]);
    RectangleBytes tile;
    for (std::size_t done = 0; done < count; done += kTileRows) {
      const std::size_t some = std::min(kTileRows, count - done);
      tile.read(*words_.folder, *words_.tensor,
                {.first_row = first + done, .rows = some, .first_column = 0, .columns = width});
      for (std::size_t row = 0; row < some; ++row) {
        unpack_along(tile.words(row), width, words_.bits, quants + (done + row) * shape_.columns);
      }
    }
  }

 private:
  WordTensor words_;
  MatrixShape shape_;
};

class WordsAlongTransposed final : public QuantReader {
 public:
  WordsAlongTransposed(WordTensor words, MatrixShape shape) : words_(words), shape_(shape) {}

  void read(std::size_t first, std::size_t count, std::uint8_t* quants) const override {
    const std::size_t in_word = 32 / static_cast<std::size_t>(words_.bits);
    const std::size_t height = shape_.columns / in_word;
    RectangleBytes tile;
    for (std::size_t top = 0; top < height; top += kTileRows) {
      const std::size_t some = std::min(kTileRows, height - top);
      tile.read(*words_.folder, *words_.tensor,
                {.first_row = top, .rows = some, .first_column = first, .columns = count});
      unpack(tile, some, count, quants + top * in_word);
    }
  }

 private:
  void unpack(const RectangleBytes& tile, std::size_t height, std::size_t count,
              std::uint8_t* quants) const {
    std::uint32_t rows[kTileWords * kTileRows];
    for (std::size_t row = 0; row < count; row += kTileWords) {
      const std::size_t some = std::min(kTileWords, count - row);
      best_nibble_kernels().transpose(tile.words(0) + row, tile.stride() / 4, height, some, rows,
                                      kTileRows);
      for (std::size_t i = 0; i < some; ++i) {
        unpack_along(rows + i * kTileRows, height, words_.bits,
                     quants + (row + i) * shape_.columns);
      }
    }
  }

  WordTensor words_;
  MatrixShape shape_;
};

// Unpacks words of eight rows each, stored as [height][words], into numbers[8 * words][stride].
void unpack_across(const RectangleBytes& tile, std::size_t height, std::size_t words,
                   const NibbleOrder& order, std::uint8_t* numbers, std::size_t stride) {
  std::uint32_t columns[kTileWords * kTileRows];
  const NibbleKernels& kernels = best_nibble_kernels();
  for (std::size_t word = 0; word < words; word += kTileWords) {
    const std::size_t some = std::min(kTileWords, words - word);
    kernels.transpose(tile.words(0) + word, tile.stride() / 4, height, some, columns, kTileRows);
    for (std::size_t i = 0; i < some; ++i) {
      kernels.across(columns + i * kTileRows, height, order, numbers + 8 * (word + i) * stride,
                     stride);
    }
  }
}

class WordsAcross final : public QuantReader {
 public:
  WordsAcross(WordTensor words, MatrixShape shape, NibbleOrder order)
      : words_(words), shape_(shape), order_(order) {}

  void read(std::size_t first, std::size_t count, std::uint8_t* quants) const override {
    RectangleBytes tile;
    for (std::size_t top = 0; top < shape_.columns; top += kTileRows) {
      const std::size_t some = std::min(kTileRows, shape_.columns - top);
      tile.read(*words_.folder, *words_.tensor,
                {.first_row = top, .rows = some, .first_column = first / 8, .columns = count / 8});
      unpack_across(tile, some, count / 8, order_, quants + top, shape_.columns);
    }
  }

 private:
  WordTensor words_;
  MatrixShape shape_;
  NibbleOrder order_;
};

class ZerosAlong final : public ZeroReader {
 public:
  ZerosAlong(WordTensor words, std::size_t groups, std::int16_t added)
      : words_(words), groups_(groups), added_(added) {}

  void read(std::size_t first, std::size_t count, std::span<const float> /*scales*/,
            std::int16_t* zeros) const override {
    const std::size_t width = (groups_ + 7) / 8;
    RectangleBytes tile;
    tile.read(*words_.folder, *words_.tensor,
              {.first_row = first, .rows = count, .first_column = 0, .columns = width});
    std::vector<std::uint8_t> row(8 * width);
    for (std::size_t r = 0; r < count; ++r) {
      unpack_along(tile.words(r), width, words_.bits, row.data());
      for (std::size_t g = 0; g < groups_; ++g) {
        zeros[r * groups_ + g] = static_cast<std::int16_t>(row[g] + added_);
      }
    }
  }

 private:
  WordTensor words_;
  std::size_t groups_;
  std::int16_t added_;
};

class ZerosAcross final : public ZeroReader {
 public:
  ZerosAcross(WordTensor words, std::size_t groups, NibbleOrder order, std::int16_t added)
      : words_(words), groups_(groups), order_(order), added_(added) {}

  void read(std::size_t first, std::size_t count, std::span<const float> /*scales*/,
            std::int16_t* zeros) const override {
    const std::size_t in_word = 32 / static_cast<std::size_t>(words_.bits);
    RectangleBytes tile;
    std::vector<std::uint8_t> numbers(count * std::min(kTileRows, groups_));
    for (std::size_t top = 0; top < groups_; top += kTileRows) {
      const std::size_t some = std::min(kTileRows, groups_ - top);
      tile.read(*words_.folder, *words_.tensor,
                {.first_row = top,
                 .rows = some,
                 .first_column = first / in_word,
                 .columns = count / in_word});
      unpack(tile, some, count, numbers.data());
      for (std::size_t r = 0; r < count; ++r) {
        for (std::size_t g = 0; g < some; ++g) {
          zeros[r * groups_ + top + g] = static_cast<std::int16_t>(numbers[r * some + g] + added_);
        }
      }
    }
  }

 private:
  void unpack(const RectangleBytes& tile, std::size_t height, std::size_t count,
              std::uint8_t* numbers) const {
    if (words_.bits == 4) {
      unpack_across(tile, height, count / 8, order_, numbers, height);
      return;
    }
    for (std::size_t g = 0; g < height; ++g) {
      const auto* const bytes = reinterpret_cast<const std::uint8_t*>(tile.row(g));
      for (std::size_t r = 0; r < count; ++r) numbers[r * height + g] = bytes[r];
    }
  }

  WordTensor words_;
  std::size_t groups_;
  NibbleOrder order_;
  std::int16_t added_;
};

class ZerosDown final : public ZeroReader {
 public:
  ZerosDown(WordTensor words, std::size_t groups) : words_(words), groups_(groups) {}

  void read(std::size_t first, std::size_t count, std::span<const float> /*scales*/,
            std::int16_t* zeros) const override {
    const std::size_t in_word = 32 / static_cast<std::size_t>(words_.bits);
    const std::size_t height = (count + in_word - 1) / in_word;
    const std::uint32_t mask = words_.bits == 4 ? 15 : 255;
    RectangleBytes tile;
    tile.read(
        *words_.folder, *words_.tensor,
        {.first_row = first / in_word, .rows = height, .first_column = 0, .columns = groups_});
    for (std::size_t r = 0; r < count; ++r) {
      const std::uint32_t* const words = tile.words(r / in_word);
      const std::size_t shift = r % in_word * static_cast<std::size_t>(words_.bits);
      for (std::size_t g = 0; g < groups_; ++g) {
        zeros[r * groups_ + g] = static_cast<std::int16_t>(words[g] >> shift & mask);
      }
    }
  }

 private:
  WordTensor words_;
  std::size_t groups_;
};

}  // namespace

std::unique_ptr<QuantReader> words_along(WordTensor words, MatrixShape shape) {
  return std::make_unique<WordsAlong>(words, shape);
}
std::unique_ptr<QuantReader> words_along_transposed(WordTensor words, MatrixShape shape) {
  return std::make_unique<WordsAlongTransposed>(words, shape);
}
std::unique_ptr<QuantReader> words_across(WordTensor words, MatrixShape shape, NibbleOrder order) {
  return std::make_unique<WordsAcross>(words, shape, order);
}
std::unique_ptr<ZeroReader> zeros_along(WordTensor words, std::size_t groups, std::int16_t added) {
  return std::make_unique<ZerosAlong>(words, groups, added);
}
std::unique_ptr<ZeroReader> zeros_across(WordTensor words, std::size_t groups, NibbleOrder order,
                                         std::int16_t added) {
  return std::make_unique<ZerosAcross>(words, groups, order, added);
}
std::unique_ptr<ZeroReader> zeros_down(WordTensor words, std::size_t groups) {
  return std::make_unique<ZerosDown>(words, groups);
}

}  // namespace infernode
