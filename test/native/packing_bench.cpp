// Gweight/s of packing an AutoAWQ gemm checkpoint, one core: from safetensors in the page
// cache through the reader of the format to ggml blocks in memory, for each type, and the
// packing alone from rows in memory. One matrix of 14,336 x 4,096 in groups of 128, written
// to a temporary folder. The best of several rounds. Not a test: it asserts nothing.
//   cmake --build <build folder> --target packing_bench && <build folder>/bin/packing_bench
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/half_numbers.h"
#include "checkpoint/packing.h"
#include "checkpoint/packing_choice.h"
#include "checkpoint/packing_kernels.h"
#include "checkpoint/quantization.h"

using namespace infernode;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kOutputs = 14336, kInputs = 4096, kGroup = 128;
constexpr double kWeights = static_cast<double>(kOutputs) * kInputs;
constexpr int kRounds = 5;
constexpr PackedType kTypes[] = {PackedType::kQ4_1, PackedType::kQ5_0, PackedType::kQ8_0,
                                 PackedType::kQ4_K, PackedType::kF16,  PackedType::kF32};

// Seconds of the fastest round.
double best(const std::function<void()>& body) {
  double least = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    least = std::min(least, taken.count());
  }
  return least;
}

void put(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

std::string tensor(const char* name, const char* dtype, std::size_t rows, std::size_t columns,
                   std::size_t begin, std::size_t end) {
  return std::string("\"model.layers.0.mlp.up_proj.") + name + "\":{\"dtype\":\"" + dtype +
         "\",\"shape\":[" + std::to_string(rows) + "," + std::to_string(columns) +
         "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

// Random words and scales as AutoAWQ lays them out: [inputs, outputs / 8].
void write_checkpoint(const fs::path& folder) {
  fs::create_directory(folder);
  std::ofstream(folder / "config.json")
      << R"({"quantization_config":{"quant_method":"awq","bits":4,"group_size":128,)"
      << R"("zero_point":true,"version":"gemm"}})";
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  const std::size_t words = kInputs * kOutputs / 2, zeros = kInputs / kGroup * kOutputs / 2,
                    scales = kInputs / kGroup * kOutputs * 2;
  const std::string header =
      "{" + tensor("qweight", "I32", kInputs, kOutputs / 8, 0, words) + "," +
      tensor("qzeros", "I32", kInputs / kGroup, kOutputs / 8, words, words + zeros) + "," +
      tensor("scales", "F16", kInputs / kGroup, kOutputs, words + zeros, words + zeros + scales) +
      "}";
  std::string bytes;
  put(bytes, header.size(), 8);
  bytes += header;
  for (std::size_t i = 0; i < words + zeros; i += 8) put(bytes, random(), 8);
  for (std::size_t i = 0; i < scales; i += 2)
    put(bytes, half_of(3e-3f * std::exp(0.3f * normal(random))), 2);
  std::ofstream(folder / "model.safetensors", std::ios::binary) << bytes;
}

void pack_matrix(const QuantizedMatrix& matrix, PackedType type, GroupedRows& rows,
                 std::vector<std::byte>& out) {
  const std::size_t bytes = packed_row_bytes(type, matrix.columns());
  const std::size_t at_once = std::max<std::size_t>(matrix.row_block(), 64);
  PackingError error;
  for (std::size_t first = 0; first < matrix.rows(); first += at_once) {
    const std::size_t count = std::min(at_once, matrix.rows() - first);
    matrix.read(first, count, rows);
    pack_rows(rows, type, std::span(out).subspan(first * bytes, count * bytes), &error);
  }
}

void measure(const QuantizedMatrix& matrix, PackedType type) {
  GroupedRows rows;
  std::vector<std::byte> out(matrix.rows() * packed_row_bytes(type, matrix.columns()));
  const double whole = best([&] { pack_matrix(matrix, type, rows, out); });
  matrix.read(0, 512, rows);
  const std::size_t bytes = 512 * packed_row_bytes(type, matrix.columns());
  const auto alone = [&](const PackingKernels& kernels) {
    PackingError error;
    return best([&] { pack_rows_with(kernels, rows, type, std::span(out).first(bytes), &error); });
  };
  const double some = 512.0 * kInputs;
  std::printf("%-5s %6.2f   %6.2f %6.2f\n", std::string(packed_type_name(type)).c_str(),
              kWeights / whole / 1e9, some / alone(best_packing_kernels()) / 1e9,
              some / alone(generic_packing_kernels()) / 1e9);
}

}  // namespace

int main() {
  const fs::path path = fs::temp_directory_path() / ("packing-bench-" + std::to_string(::getpid()));
  write_checkpoint(path);
  {
    const CheckpointFolder folder = CheckpointFolder::open(path.string());
    const auto quantization = read_quantization(folder);
    const auto matrix = quantization->open("model.layers.0.mlp.up_proj", {kOutputs, kInputs});
    std::printf("Gweight/s, %s\n      whole    packing: %s, generic\n",
                quantization->description().c_str(), best_packing_kernels().name);
    for (const PackedType type : kTypes) measure(*matrix, type);
    const double examined = best([&] { examine_matrix(*matrix, PackingProfile::kQ4_K, "bench"); });
    const double looked = best([&] { examine_matrix(*matrix, PackingProfile::kQ4_1, "bench"); });
    std::printf("examined for q4_k %.2f, for q4_1 %.2f\n", kWeights / examined / 1e9,
                kWeights / looked / 1e9);
  }
  fs::remove_all(path);
}
