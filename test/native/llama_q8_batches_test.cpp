// Our routine for batches of Q8_0 on AVX2, in the CPU backend that is loaded, beside ggml's in a
// library that has no other: the same sums to the bit, for every number of rows, odd
// shapes, and however the threads divide the work. With AVX-512 see llama_panels_test.cpp.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "check.h"
#include "ggml-cpu-impl.h"
#include "ggml.h"
#include "llama_cpu_backend.h"
#include "llamafile/sgemm.h"
#include "quants.h"

using namespace infernode;

namespace {

using Block = block_q8_0;
using Multiply = decltype(llamafile_sgemm);

// Every remainder of a group of eight, and of a panel of 64.
constexpr std::int64_t kBatches[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,  14, 15,
                                     16, 17, 24, 25, 31, 32, 40, 63, 64, 65, 71, 96, 130, 200};

bool sums_are_panels() {
  static const bool found = CpuLibrary::loaded().has_panels(GGML_TYPE_Q8_0);
  if (found) std::puts("SKIPPED: this CPU's variant computes by panels");
  return found;
}

std::vector<Block> random_blocks(std::mt19937& random, std::int64_t count) {
  std::vector<Block> blocks(static_cast<std::size_t>(count));
  for (Block& block : blocks) {
    block.d = static_cast<std::uint16_t>(0x1c00 + random() % 0x1000);  // 0.004 to 0.06
    // As ggml quantizes: -128 does not occur, and its routine cannot negate it.
    for (std::int8_t& value : block.qs) value = static_cast<std::int8_t>(random() % 255 - 127);
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
  return cpu.run(threads, [&](ggml_context* made) {
    ggml_tensor* a = ggml_new_tensor_3d(made, GGML_TYPE_Q8_0, width, of.rows, of.matrices);
    ggml_tensor* b = ggml_new_tensor_3d(made, GGML_TYPE_F32, width, count, 2 * of.matrices);
    return CpuOperation{ggml_mul_mat(made, a, b), {{a, of.weights.data()}, {b, rows.data()}}};
  });
}

}  // namespace

TEST("batches of Q8_0 have the sums of ggml's own routine to the bit") {
  const CpuLibrary library = CpuLibrary::loaded();
  if (sums_are_panels()) return;
  const CpuLibrary unmodified = CpuLibrary::unmodified();
  auto* ours = library.function<Multiply>("llamafile_sgemm");
  auto* upstream = unmodified.function<Multiply>("llamafile_sgemm");
  CHECK(ours != nullptr && upstream != nullptr && ours != upstream);
  CHECK(unmodified.function<Multiply>("infernode_upstream_sgemm") == nullptr);
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
            const ggml_compute_params params{thread, threads, 0, nullptr, nullptr, false};
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
  CHECK(compared > 0);
}

TEST("operations have the sums of llama.cpp's own library to the bit") {
  if (sums_are_panels()) return;
  CpuBackend cpu;
  CpuBackend upstream(CpuLibrary::unmodified());
  std::mt19937 random(9);
  for (const std::int64_t n : {1, 2, 9, 65, 130}) {
    const Products made = random_products(random, 5, 70, n, 2);
    for (const int threads : {1, 2})
      CHECK(multiply(cpu, made, threads, 0, n) == multiply(upstream, made, threads, 0, n));
  }
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
