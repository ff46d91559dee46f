// Gweight/s of reading quantized checkpoints, one core: from safetensors in the page cache to
// quants, scales and zero points in memory, for each format and for layers of Llama 3 8B's
// shapes. Seconds are the thread's own processor time, so that other programs matter less; the
// best of several rounds. Not a test: it asserts nothing. packing_bench goes on to ggml blocks.
//   cmake --build <build folder> --target unpacking_bench && <build folder>/bin/unpacking_bench
#include <ctime>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>

#include "checkpoint/half_numbers.h"
#include "checkpoint/nibble_kernels.h"
#include "checkpoint/quantization.h"
#include "quantized_folder.h"

using namespace infernode;

namespace {

constexpr int kRounds = 5;
constexpr std::size_t kGroup = 128;

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::string random_bytes(std::size_t count) {
  std::mt19937_64 random(1);
  std::string bytes(count, '\0');
  for (std::size_t at = 0; at + 8 <= count; at += 8) {
    const std::uint64_t number = random();
    std::memcpy(bytes.data() + at, &number, sizeof(number));
  }
  return bytes;
}

std::string same_numbers(std::size_t count, float number) {
  std::string bytes;
  while (bytes.size() < 2 * count) append_number(bytes, "F16", number);
  return bytes;
}

// Words without meaning, which take as long as others to read. Symmetric, so that the formats
// with zero points as products need none.
StoredLayer random_words(const LayerKind& kind) {
  const std::size_t groups = kind.columns / kGroup, words = kind.rows * kind.columns / 8;
  const auto tensor = [](std::size_t first, std::size_t second) {
    return TestTensor{"I32", {first, second}, random_bytes(4 * first * second)};
  };
  const auto scales = [](std::size_t first, std::size_t second) {
    return TestTensor{"F16", {first, second}, same_numbers(first * second, 0.003f)};
  };
  LayerKind small = kind;
  small.rows = 8;
  StoredLayer layer = LayerWriter(small, random_layer(small, 1)).stored();  // for its config
  layer.tensors.clear();
  if (kind.format == "packed") {
    layer.tensors["layer.proj.weight_packed"] = tensor(kind.rows, kind.columns / 8);
    layer.tensors["layer.proj.weight_scale"] = scales(kind.rows, groups);
    return layer;
  }
  const bool gemv = kind.format == "gemv";
  layer.tensors["layer.proj.scales"] =
      gemv ? scales(kind.rows, kind.padded()) : scales(groups, kind.rows);
  layer.tensors["layer.proj.qzeros"] =
      gemv ? tensor(kind.rows, kind.padded() / 8) : tensor(groups, kind.rows / 8);
  const std::size_t first = kind.format == "gemm" ? kind.columns
                            : gemv                ? kind.rows
                                                  : kind.columns / 8;
  layer.tensors["layer.proj.qweight"] = tensor(first, words / first);
  return layer;
}

void measure(const char* format, std::size_t rows, std::size_t columns) {
  const LayerKind kind = {
      .format = format, .rows = rows, .columns = columns, .group = kGroup, .symmetric = true};
  const TemporaryFolder path;
  write_layer(path, random_words(kind));
  const CheckpointFolder folder = CheckpointFolder::open(path.path());
  const auto matrix = read_quantization(folder)->open("layer.proj", {rows, columns});
  GroupedRows out;
  double least = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = processor_seconds();
    for (std::size_t first = 0; first < rows; first += matrix->row_block()) {
      matrix->read(first, std::min(matrix->row_block(), rows - first), out);
    }
    least = std::min(least, processor_seconds() - begin);
  }
  std::printf("%-8s %5zu x %5zu, blocks of %4zu: %.2f\n", format, rows, columns,
              matrix->row_block(), static_cast<double>(rows * columns) / least / 1e9);
}

}  // namespace

int main() {
  std::printf("Gweight/s, %s\n", best_nibble_kernels().name);
  for (const char* const format : {"gemm", "gemv", "gptq", "packed"}) {
    measure(format, 4096, 4096);
    measure(format, 14336, 4096);
    measure(format, 4096, 14336);
  }
}
