// Our routine for batches of Q8_0 beside the one of ggml it stands in front of, both as
// they are in the CPU backend that is loaded: the same sums to the bit, for every
// number of rows, odd shapes, and however the threads divide the work.
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "ggml.h"
#include "llama_cpu_backend.h"
#include "model/llama_runtime.h"

using namespace infernode;

namespace {

// The beginning of ggml's ggml_compute_params.
struct Params {
  int thread;
  int threads;
  std::size_t work_size = 0;
  void* work = nullptr;
  void* pool = nullptr;
  bool reference = false;
};

using Multiply = bool(const Params*, std::int64_t, std::int64_t, std::int64_t, const void*,
                      std::int64_t, const void*, std::int64_t, void*, std::int64_t, int, int, int);

struct Block {
  std::uint16_t scale;
  std::int8_t values[32];
};

// The CPU backend among the files that are mapped.
void* loaded_backend() {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::size_t path = line.find('/');
    if (path == std::string::npos || line.find("ggml-cpu", path) == std::string::npos) continue;
    return dlopen(line.substr(path).c_str(), RTLD_LAZY);
  }
  return nullptr;
}

Multiply* routine(void* library, const char* name) {
  return reinterpret_cast<Multiply*>(dlsym(library, name));
}

// Every remainder of a group of eight, and of a panel of 64.
constexpr std::int64_t kBatches[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,  14, 15,
                                     16, 17, 24, 25, 31, 32, 40, 63, 64, 65, 71, 96, 130, 200};

std::vector<Block> random_blocks(std::mt19937& random, std::int64_t count) {
  std::vector<Block> blocks(static_cast<std::size_t>(count));
  for (Block& block : blocks) {
    block.scale = static_cast<std::uint16_t>(0x1c00 + random() % 0x1000);  // 0.004 to 0.06
    // As ggml quantizes: -128 does not occur, and its routine cannot negate it.
    for (std::int8_t& value : block.values) value = static_cast<std::int8_t>(random() % 255 - 127);
  }
  return blocks;
}

// Weights of [matrices][rows][k blocks], a batch of [products][n][32 k] floats: twice as
// many products as matrices, each of which serves two.
struct Products {
  std::int64_t k, rows, n, matrices;
  std::vector<Block> weights;
  std::vector<float> batch;
};

Products random_products(std::mt19937& random, std::int64_t k, std::int64_t rows, std::int64_t n,
                         std::int64_t matrices) {
  Products made{k, rows, n, matrices, random_blocks(random, k * rows * matrices), {}};
  std::normal_distribution<float> normal;
  made.batch.resize(static_cast<std::size_t>(32 * k * n * 2 * matrices));
  for (float& value : made.batch) value = normal(random);
  return made;
}

// The rows of [product][batch row], from `first` row of each on.
std::vector<float> multiply(CpuBackend& cpu, const Products& of, int threads, std::int64_t first,
                            std::int64_t count) {
  const std::int64_t width = 32 * of.k;
  std::vector<float> rows;
  for (std::int64_t product = 0; product < 2 * of.matrices; ++product) {
    const auto begin = of.batch.begin() + (product * of.n + first) * width;
    rows.insert(rows.end(), begin, begin + count * width);
  }
  return cpu.run(threads, false, [&](ggml_context* made) {
    ggml_tensor* a = ggml_new_tensor_3d(made, GGML_TYPE_Q8_0, width, of.rows, of.matrices);
    ggml_tensor* b = ggml_new_tensor_3d(made, GGML_TYPE_F32, width, count, 2 * of.matrices);
    return CpuOperation{ggml_mul_mat(made, a, b), {{a, of.weights.data()}, {b, rows.data()}}};
  });
}

}  // namespace

TEST("batches of Q8_0 have the sums of ggml's own routine to the bit") {
  void* library = loaded_backend();
  CHECK(library != nullptr);
  Multiply* ours = routine(library, "llamafile_sgemm");
  Multiply* upstream = routine(library, "infernode_upstream_sgemm");
  CHECK(ours != nullptr && upstream != nullptr);
  std::mt19937 random(3);
  int compared = 0;
  for (const std::int64_t m : {1, 2, 3, 7, 64, 129}) {
    for (const std::int64_t k : {1, 2, 16, 45}) {
      for (const std::int64_t n : kBatches) {
        const std::int64_t lda = k + static_cast<std::int64_t>(random() % 3);
        const std::int64_t ldc = m + static_cast<std::int64_t>(random() % 3);
        const auto a = random_blocks(random, lda * m);
        const auto b = random_blocks(random, k * n);
        std::vector<float> expected(static_cast<std::size_t>(ldc * n), -1.0f);
        std::vector<float> found = expected;
        const auto run = [&](Multiply* multiply, int threads, std::vector<float>& c) {
          bool done = true;
          for (int thread = 0; thread < threads; ++thread) {
            const Params params{thread, threads};
            done &= multiply(&params, m, n, k, a.data(), lda, b.data(), k, c.data(), ldc,
                             GGML_TYPE_Q8_0, GGML_TYPE_Q8_0, GGML_TYPE_F32);
          }
          return done;
        };
        const int threads = 1 + static_cast<int>(random() % 5);
        const bool theirs = run(upstream, 1, expected);
        CHECK_EQ(run(ours, threads, found), theirs);
        CHECK_EQ(std::memcmp(expected.data(), found.data(), expected.size() * sizeof(float)), 0);
        compared += theirs ? 1 : 0;
      }
    }
  }
  std::printf("%d products compared\n", compared);
}

TEST("a row of an operation is the same alone and in a batch on any number of threads") {
  CpuBackend cpu;
  std::mt19937 random(5);
  for (const std::int64_t rows : {1, 40, 300}) {
    for (const std::int64_t n : {2, 9, 64, 65, 130}) {
      for (const std::int64_t matrices : {1, 3}) {
        const Products made = random_products(random, 3, rows, n, matrices);
        const std::vector<float> together = multiply(cpu, made, 1, 0, n);
        for (const int threads : {2, 3, 7}) CHECK(multiply(cpu, made, threads, 0, n) == together);
        for (const std::int64_t row : {std::int64_t{0}, n / 2, n - 1}) {
          const std::vector<float> alone = multiply(cpu, made, 1, row, 1);
          for (std::int64_t product = 0; product < 2 * matrices; ++product) {
            const auto found = together.begin() + (product * n + row) * rows;
            CHECK(std::equal(found, found + rows, alone.begin() + product * rows));
          }
        }
      }
    }
  }
}
