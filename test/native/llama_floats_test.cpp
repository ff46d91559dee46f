// Products of F16 and BF16 weights in the CPU backend that is loaded: whole operations beside exact
// arithmetic and beside llama.cpp's own library, for all remainders of shapes and groups, and a row
// alone beside the same row among others on any number of threads. Where the CPU has no such
// routine, nothing is judged, and that is said.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

#include "check.h"
#include "distance.h"
#include "ggml-backend.h"
#include "ggml.h"
#include "llama_cpu_backend.h"

using namespace infernode;

namespace {

std::vector<ggml_type> types_computed() {
  static const CpuLibrary library = CpuLibrary::loaded();
  std::vector<ggml_type> types;
  for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_BF16})
    if (library.has_own_sums(type)) types.push_back(type);
  if (types.empty()) std::puts("SKIPPED: this CPU's variant has no routine for 16-bit floats");
  return types;
}

// A matrix and a batch; the rows of the batch are `gap` values apart.
struct Product {
  ggml_type type;
  std::int64_t width, rows, n;
  std::int64_t products = 1;
  std::int64_t gap = 0;
  std::vector<std::uint16_t> weights;
  std::vector<float> batch;  // without gaps

  Product(std::mt19937& random, ggml_type of, std::int64_t wide, std::int64_t high,
          std::int64_t count, float scale = 1, std::int64_t several = 1, std::int64_t apart = 0)
      : type(of), width(wide), rows(high), n(count), products(several), gap(apart) {
    std::normal_distribution<float> normal;
    std::vector<float> floats(static_cast<std::size_t>(width * rows));
    for (float& value : floats) value = scale * normal(random);
    weights.resize(floats.size());
    ggml_quantize_chunk(type, floats.data(), weights.data(), 0, rows, width, nullptr);
    batch.resize(static_cast<std::size_t>(width * n * products));
    for (float& value : batch) value = normal(random);
  }

  std::vector<double> weight_row(std::int64_t row) const {
    std::vector<float> floats(static_cast<std::size_t>(width));
    ggml_get_type_traits(type)->to_float(weights.data() + row * width, floats.data(), width);
    return {floats.begin(), floats.end()};
  }
};

// Batch rows [first, first + count) of each product.
std::vector<float> multiply(CpuBackend& cpu, const Product& of, int threads, std::int64_t first,
                            std::int64_t count, ggml_backend_buffer_type_t layout = nullptr) {
  const std::int64_t apart = of.width + of.gap;
  std::vector<float> some(static_cast<std::size_t>(apart * count * of.products), 1e30f);
  for (std::int64_t product = 0; product < of.products; ++product)
    for (std::int64_t row = 0; row < count; ++row)
      std::copy_n(of.batch.begin() + (product * of.n + first + row) * of.width, of.width,
                  some.begin() + (product * count + row) * apart);
  return cpu.run(
      threads,
      [&](ggml_context* made) {
        ggml_tensor* a = ggml_new_tensor_2d(made, of.type, of.width, of.rows);
        ggml_tensor* b = ggml_new_tensor_3d(made, GGML_TYPE_F32, apart, count, of.products);
        ggml_tensor* seen = of.gap == 0 ? b
                                        : ggml_view_3d(made, b, of.width, count, of.products,
                                                       b->nb[1], b->nb[2], 0);
        return CpuOperation{ggml_mul_mat(made, a, seen),
                            {{a, of.weights.data()}, {b, some.data()}}};
      },
      layout);
}

void add_distances(const Product& of, const std::vector<float>& ours,
                   const std::vector<float>& theirs, Distance& own, Distance& other) {
  for (std::int64_t i = 0; i < of.rows; ++i) {
    const std::vector<double> weights = of.weight_row(i);
    for (std::int64_t j = 0; j < of.n; ++j) {
      double exact = 0, size = 1e-30;
      for (std::int64_t at = 0; at < of.width; ++at) {
        const double term =
            weights[static_cast<std::size_t>(at)] *
            static_cast<double>(of.batch[static_cast<std::size_t>(j * of.width + at)]);
        exact += term;
        size += std::abs(term);
      }
      const auto place = static_cast<std::size_t>(j * of.rows + i);
      own.add(static_cast<double>(ours[place]), exact, size);
      other.add(static_cast<double>(theirs[place]), exact, size);
    }
  }
}

void judge(const char* what, const Distance& ours, const Distance& theirs) {
  std::printf("%s: %lld sums, root mean square %.1e (ggml %.1e), worst %.1e (ggml %.1e)\n", what,
              static_cast<long long>(ours.count), ours.root_mean_square(),
              theirs.root_mean_square(), ours.worst, theirs.worst);
  CHECK(ours.root_mean_square() <= theirs.root_mean_square());
  CHECK(ours.worst <= theirs.worst);
}

// The layout that llama.cpp's own library would bring the weights into; null: the file's.
ggml_backend_buffer_type_t their_layout(const CpuLibrary& library, const Product& of) {
  if (of.type != GGML_TYPE_F16 || of.rows % 64 != 0 || of.width % 16 != 0) return nullptr;
  const auto extra = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(library.registry(), "ggml_backend_dev_get_extra_bufts"));
  for (auto* each = extra(ggml_backend_reg_dev_get(library.registry(), 0)); *each != nullptr;
       ++each)
    if (std::string_view(ggml_backend_buft_name(*each)) == "AMX") return *each;
  return nullptr;
}

// Every remainder of groups of three, six and sixteen; 180 rows of 4490 values are spread in parts.
constexpr std::int64_t kBatches[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
                                     14, 15, 16, 17, 23, 24, 25, 31, 32, 33, 37, 180};

}  // namespace

TEST("products of 16-bit floats are at least as near to exact arithmetic as ggml's own") {
  CpuBackend cpu, unmodified(CpuLibrary::unmodified());
  std::mt19937 random(3);
  for (const ggml_type type : types_computed()) {
    Distance ours, theirs, ours_of_amx, theirs_of_amx;
    const auto compare = [&](std::int64_t width, std::int64_t rows, std::int64_t n, float scale) {
      const Product of(random, type, width, rows, n, scale);
      const int threads = 1 + static_cast<int>(random() % 5);
      const std::vector<float> found = multiply(cpu, of, threads, 0, n);
      add_distances(of, found, multiply(unmodified, of, 1, 0, n), ours, theirs);
      ggml_backend_buffer_type_t layout = their_layout(CpuLibrary::unmodified(), of);
      if (layout == nullptr || width < 512) return;
      add_distances(of, found, multiply(unmodified, of, 1, 0, n, layout), ours_of_amx,
                    theirs_of_amx);
    };
    for (const std::int64_t width : {1, 2, 31, 32, 33, 300})
      for (const std::int64_t rows : {1, 2, 15, 16, 17, 31, 32, 33, 70})
        for (const std::int64_t n : kBatches)
          if (rows == 17 || n < 3 || n == 13) compare(width, rows, n, 1);
    for (std::int64_t width = 1; width <= 80; ++width)
      for (const std::int64_t n : {1, 2}) compare(width, 17, n, 1);
    for (const std::int64_t width : {255, 256, 257, 511, 513, 1040})
      for (const std::int64_t n : {1, 3, 20}) compare(width, 33, n, 1);
    for (const std::int64_t width : {512, 2048})
      for (const std::int64_t n : {1, 7, 40}) compare(width, 64, n, 1);
    for (const std::int64_t n : {1, 9}) compare(100, 17, n, 1e-6f);  // subnormal F16
    compare(4490, 40, 180, 1);
    judge(ggml_type_name(type), ours, theirs);
    CHECK(ours.worst < 1.6e-5);  // 2^-16
    if (theirs_of_amx.count > 0) judge("f16 by ggml's AMX routine", ours_of_amx, theirs_of_amx);
  }
}

TEST("rows of 16-bit floats are the same among few and many, on any number of threads") {
  CpuBackend cpu;
  std::mt19937 random(5);
  for (const ggml_type type : types_computed()) {
    const auto compare = [&](const Product& of) {
      const std::vector<float> together = multiply(cpu, of, 1, 0, of.n);
      for (const int threads : {2, 3, 4, 5, 6, 7})
        CHECK(multiply(cpu, of, threads, 0, of.n) == together);
      for (const std::int64_t count : {1, 2, 7}) {
        if (count > of.n) continue;
        for (const std::int64_t row : {std::int64_t{0}, of.n / 2, of.n - count}) {
          if (row + count > of.n) continue;
          const std::vector<float> few = multiply(cpu, of, 2, row, count);
          for (std::int64_t product = 0; product < of.products; ++product)
            CHECK(std::equal(few.begin() + product * count * of.rows,
                             few.begin() + (product + 1) * count * of.rows,
                             together.begin() + (product * of.n + row) * of.rows));
        }
      }
    };
    for (const std::int64_t n : kBatches) compare(Product(random, type, 160 + n, 40, n));
    for (const std::int64_t width : {1, 31, 33, 255, 257, 513, 600, 1040})
      compare(Product(random, type, width, 37, 19));
    compare(Product(random, type, 96, 300, 130));
    compare(Product(random, type, 4490, 60, 180));
    compare(Product(random, type, 96, 40, 13, 1, 3));       // sequences of one matrix
    compare(Product(random, type, 96, 40, 13, 1, 1, 5));    // rows with a distance
    compare(Product(random, type, 300, 40, 13, 1, 4, 16));  // both
  }
}

TEST("a row with infinity or without a number leaves the rows beside it as they are") {
  CpuBackend cpu;
  std::mt19937 random(7);
  for (const ggml_type type : types_computed()) {
    for (const std::int64_t n : {2, 5, 20}) {
      Product of(random, type, 300, 33, n);
      const std::vector<float> plain = multiply(cpu, of, 2, 0, n);
      for (const float odd :
           {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        of.batch[static_cast<std::size_t>(of.width + 17)] = odd;
        const std::vector<float> found = multiply(cpu, of, 2, 0, n);
        for (std::int64_t j = 0; j < n; ++j)
          for (std::int64_t i = 0; i < of.rows; ++i) {
            const auto place = static_cast<std::size_t>(j * of.rows + i);
            if (j == 1) {
              CHECK(!std::isfinite(found[place]));
            } else {
              CHECK_EQ(found[place], plain[place]);
            }
          }
      }
    }
  }
}

TEST("matrices of 16-bit floats stay in the file's layout") {
  const CpuLibrary library = CpuLibrary::loaded();
  CpuBackend cpu;
  std::mt19937 random(9);
  for (const ggml_type type : types_computed()) {
    const Product of(random, type, 512, 64, 1);
    ggml_backend_buffer_type_t layout = their_layout(library, of);
    if (layout == nullptr) continue;
    ggml_context* made = ggml_init({1 << 20, nullptr, true});
    ggml_tensor* product = ggml_mul_mat(made, ggml_new_tensor_2d(made, type, 512, 64),
                                        ggml_new_tensor_2d(made, GGML_TYPE_F32, 512, 3));
    ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(layout, 0);
    product->src[0]->buffer = buffer;
    CHECK(!ggml_backend_dev_supports_op(ggml_backend_reg_dev_get(library.registry(), 0), product));
    product->src[0]->buffer = nullptr;
    ggml_backend_buffer_free(buffer);
    ggml_free(made);
  }
}
