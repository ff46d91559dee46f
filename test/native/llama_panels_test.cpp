// Products of quantized weights by panels, in the CPU backend that is loaded: beside exact
// arithmetic and ggml's own routine, for all remainders of panels and groups, and a row alone
// beside the same row among others on any number of threads. Where the CPU has no such
// routine, nothing is judged, and that is said.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string_view>
#include <vector>

#include "check.h"
#include "distance.h"
#include "ggml-backend.h"
#include "ggml-cpu-impl.h"
#include "ggml-cpu.h"
#include "ggml.h"
#include "llama_cpu_backend.h"
#include "llamafile/sgemm.h"
#include "quants.h"

using namespace infernode;

namespace {

using Multiply = decltype(llamafile_sgemm);
using TraitsOf = const ggml_type_traits_cpu*(ggml_type);

constexpr ggml_type kTypes[] = {GGML_TYPE_Q8_0, GGML_TYPE_Q5_0, GGML_TYPE_Q4_0,
                                GGML_TYPE_Q4_1, GGML_TYPE_Q5_1, GGML_TYPE_IQ4_NL,
                                GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K};
// Those that tiles of AMX multiply in ggml's layout for AMX.
constexpr ggml_type kPackedTypes[] = {GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q4_1};
// Every remainder of groups of eight and of sixteen; 180 rows of 140 blocks are spread in two
// parts.
constexpr std::int64_t kBatches[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
                                     14, 15, 16, 17, 23, 24, 25, 31, 32, 33, 37, 180};

// The types that have panels; none: the variant computes as llama.cpp does.
std::vector<ggml_type> types_with_panels() {
  static const CpuLibrary library = CpuLibrary::loaded();
  std::vector<ggml_type> types;
  for (const ggml_type type : kTypes)
    if (library.has_panels(type)) types.push_back(type);
  if (types.empty()) std::puts("SKIPPED: this CPU's variant has no panels");
  return types;
}

bool has_tiles() {
  auto* names = CpuLibrary::loaded().function<const char*()>("infernode_cpu_kernels");
  return names != nullptr &&
         std::string_view(names()).find("AMX tiles\n") != std::string_view::npos;
}

bool is_among(const auto& types, ggml_type type) {
  return std::ranges::find(types, type) != std::ranges::end(types);
}

std::vector<float> random_floats(std::mt19937& random, std::int64_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> made(static_cast<std::size_t>(count));
  for (float& value : made) value = normal(random);
  return made;
}

// Rows of blocks of one type.
struct Rows {
  ggml_type type;
  std::int64_t width;
  std::vector<char> bytes;

  std::size_t row_bytes() const { return ggml_row_size(type, width); }
  const char* row(std::int64_t index) const {
    return bytes.data() + static_cast<std::size_t>(index) * row_bytes();
  }
};

Rows quantized(std::mt19937& random, ggml_type type, std::int64_t rows, std::int64_t width) {
  const std::vector<float> floats = random_floats(random, rows * width);
  Rows made{type, width,
            std::vector<char>(ggml_row_size(type, width) * static_cast<std::size_t>(rows))};
  ggml_quantize_chunk(type, floats.data(), made.bytes.data(), 0, rows, width, nullptr);
  return made;
}

// A batch as the backend itself quantizes it.
Rows batch_of(std::mt19937& random, const ggml_type_traits_cpu& traits, ggml_from_float_t quantize,
              std::int64_t rows, std::int64_t width) {
  const std::vector<float> floats = random_floats(random, rows * width);
  Rows made{traits.vec_dot_type, width,
            std::vector<char>(ggml_row_size(traits.vec_dot_type, width) *
                              static_cast<std::size_t>(rows))};
  for (std::int64_t row = 0; row < rows; ++row)
    quantize(floats.data() + row * width,
             made.bytes.data() + static_cast<std::size_t>(row) * made.row_bytes(), width);
  return made;
}

template <typename Block>
void append(const char* bytes, std::int64_t width, std::vector<double>& values) {
  for (std::int64_t block = 0; block < width / 32; ++block) {
    Block one;
    std::memcpy(&one, bytes + static_cast<std::size_t>(block) * sizeof one, sizeof one);
    ggml_fp16_t half;
    std::memcpy(&half, &one, sizeof half);
    const double scale = static_cast<double>(ggml_fp16_to_fp32(half));
    for (const std::int8_t value : one.qs) values.push_back(scale * value);
  }
}

std::vector<double> values_of(const Rows& rows, std::int64_t row) {
  std::vector<double> values;
  if (rows.type == GGML_TYPE_Q8_K) {
    for (std::int64_t at = 0; at < rows.width / QK_K; ++at) {
      block_q8_K block;
      std::memcpy(&block, rows.row(row) + static_cast<std::size_t>(at) * sizeof block,
                  sizeof block);
      for (const std::int8_t value : block.qs)
        values.push_back(static_cast<double>(block.d) * value);
    }
  } else if (rows.type == GGML_TYPE_Q8_1) {
    append<block_q8_1>(rows.row(row), rows.width, values);
  } else {
    std::vector<float> floats(static_cast<std::size_t>(rows.width));
    ggml_get_type_traits(rows.type)->to_float(rows.row(row), floats.data(), rows.width);
    values.assign(floats.begin(), floats.end());
  }
  return values;
}

void compare(ggml_type type, std::int64_t m, std::int64_t k, std::int64_t n, std::mt19937& random,
             Distance& ours, Distance& theirs) {
  const CpuLibrary library = CpuLibrary::loaded();
  const CpuLibrary unmodified = CpuLibrary::unmodified();
  auto* multiply = library.function<Multiply>("llamafile_sgemm");
  auto* traits_of = unmodified.function<TraitsOf>("ggml_get_type_traits_cpu");
  const ggml_type_traits_cpu& traits = *traits_of(type);
  const std::int64_t each = ggml_blck_size(type);
  const std::int64_t lda = k + static_cast<std::int64_t>(random() % 3);
  const Rows a = quantized(random, type, m, each * lda);
  const Rows b = batch_of(random, traits, traits_of(traits.vec_dot_type)->from_float, n, each * k);
  const std::int64_t ldc = m + static_cast<std::int64_t>(random() % 3);
  std::vector<float> found(static_cast<std::size_t>(ldc * n), -1.0f);
  const int threads = 1 + static_cast<int>(random() % 5);
  for (int thread = 0; thread < threads; ++thread) {
    const ggml_compute_params params{thread, threads, 0, nullptr, nullptr, false};
    CHECK(multiply(&params, m, n, k, a.bytes.data(), lda, b.bytes.data(), k, found.data(), ldc,
                   type, traits.vec_dot_type, GGML_TYPE_F32));
  }
  std::vector<std::vector<double>> weights;
  for (std::int64_t i = 0; i < m; ++i) weights.push_back(values_of(a, i));
  for (std::int64_t j = 0; j < n; ++j) {
    const std::vector<double> row = values_of(b, j);
    for (std::int64_t i = 0; i < m; ++i) {
      double exact = 0, size = 1e-30;
      for (std::size_t at = 0; at < row.size(); ++at) {
        const double term = weights[static_cast<std::size_t>(i)][at] * row[at];
        exact += term;
        size += std::abs(term);
      }
      float upstream = 0;
      traits.vec_dot(static_cast<int>(each * k), &upstream, 0, a.row(i), 0, b.row(j), 0, 1);
      const float own = found[static_cast<std::size_t>(ldc * j + i)];
      ours.add(static_cast<double>(own), exact, size);
      theirs.add(static_cast<double>(upstream), exact, size);
    }
    // What lies between the rows of the result is not ours.
    for (std::int64_t i = m; i < ldc; ++i)
      CHECK_EQ(found[static_cast<std::size_t>(ldc * j + i)], -1.0f);
  }
}

// Whether a buffer of a library's that has an order of its own takes the weights of an operation.
bool is_repacked(ggml_tensor* operation, const CpuLibrary& library = CpuLibrary::loaded()) {
  ggml_backend_reg_t registry = library.registry();
  ggml_backend_dev_t device = ggml_backend_reg_dev_get(registry, 0);
  const auto extra = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(registry, "ggml_backend_dev_get_extra_bufts"));
  bool taken = false;
  for (ggml_backend_buffer_type_t* type = extra(device); type != nullptr && *type != nullptr;
       ++type) {
    ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(*type, 0);
    operation->src[0]->buffer = buffer;
    taken = taken || ggml_backend_dev_supports_op(device, operation);
    operation->src[0]->buffer = nullptr;
    ggml_backend_buffer_free(buffer);
  }
  return taken;
}

ggml_backend_buffer_type_t layout_for_amx(const CpuLibrary& library) {
  const auto extra = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(library.registry(), "ggml_backend_dev_get_extra_bufts"));
  for (auto* each = extra(ggml_backend_reg_dev_get(library.registry(), 0)); *each != nullptr;
       ++each)
    if (std::string_view(ggml_backend_buft_name(*each)) == "AMX") return *each;
  throw std::runtime_error("there is no layout for AMX");
}

}  // namespace

TEST("products by panels are at least as near to exact arithmetic as ggml's own") {
  std::mt19937 random(3);
  for (const ggml_type type : types_with_panels()) {
    Distance ours, theirs;
    const bool small = ggml_blck_size(type) == 32;
    for (const std::int64_t m : {1, 2, 15, 16, 17, 33, 70})
      for (const std::int64_t k : {1, 2, small ? 18 : 5})
        for (const std::int64_t n : kBatches)
          if (m == 17 || n < 3 || n == 13) compare(type, m, k, n, random, ours, theirs);
    for (std::int64_t k = 1; k <= (small ? 36 : 7);
         ++k)  // a row alone is computed 16 blocks at a time
      for (const std::int64_t n : {1, 2}) compare(type, 17, k, n, random, ours, theirs);
    compare(type, 40, small ? 140 : 18, 180, random, ours, theirs);
    std::printf("%s: %lld sums, root mean square %.1e (ggml %.1e), worst %.1e (ggml %.1e)\n",
                ggml_type_name(type), static_cast<long long>(ours.count), ours.root_mean_square(),
                theirs.root_mean_square(), ours.worst, theirs.worst);
    CHECK(ours.root_mean_square() <= theirs.root_mean_square());
    CHECK(ours.worst <= 1.5 * theirs.worst);  // of some ten thousand each
    CHECK(ours.worst < 1e-6);
  }
}

TEST("rows are the same among few and many, on any number of threads, in several products") {
  CpuBackend cpu;
  std::mt19937 random(5);
  struct Shape {
    std::int64_t width, rows, n, matrices;
  };
  // The last is spread in two parts.
  std::vector<Shape> shapes = {
      {96, 1, 9, 1}, {96, 40, 13, 3}, {96, 300, 130, 1}, {64, 70, 65, 2}, {4480, 60, 180, 2}};
  for (std::int64_t blocks = 1; blocks <= 36; ++blocks) shapes.push_back({32 * blocks, 21, 5, 1});
  for (std::int64_t blocks = 1; blocks <= 5; ++blocks) shapes.push_back({256 * blocks, 40, 13, 2});
  for (const ggml_type type : types_with_panels()) {
    for (const auto& shape : shapes) {
      const std::int64_t rows = shape.rows, n = shape.n, width = shape.width;
      if (width % ggml_blck_size(type) != 0) continue;
      const std::int64_t products = 2 * shape.matrices;  // each matrix serves two
      const Rows weights = quantized(random, type, rows * shape.matrices, width);
      const std::vector<float> batch = random_floats(random, products * n * width);
      const auto multiply = [&](int threads, std::int64_t first, std::int64_t count) {
        std::vector<float> some;
        for (std::int64_t product = 0; product < products; ++product) {
          const auto begin = batch.begin() + (product * n + first) * width;
          some.insert(some.end(), begin, begin + count * width);
        }
        return cpu.run(threads, [&](ggml_context* made) {
          ggml_tensor* a = ggml_new_tensor_3d(made, type, width, rows, shape.matrices);
          ggml_tensor* b = ggml_new_tensor_3d(made, GGML_TYPE_F32, width, count, products);
          return CpuOperation{ggml_mul_mat(made, a, b),
                              {{a, weights.bytes.data()}, {b, some.data()}}};
        });
      };
      const std::vector<float> together = multiply(1, 0, n);
      for (const int threads : {2, 3, 7}) CHECK(multiply(threads, 0, n) == together);
      for (const std::int64_t count : {1, 2}) {
        for (const std::int64_t row : {std::int64_t{0}, n / 2, n - count}) {
          const std::vector<float> few = multiply(2, row, count);
          for (std::int64_t product = 0; product < products; ++product)
            CHECK(std::equal(few.begin() + product * count * rows,
                             few.begin() + (product + 1) * count * rows,
                             together.begin() + (product * n + row) * rows));
        }
      }
    }
  }
}

TEST("weights in ggml's layout for AMX give the same results, to the bit") {
  if (!has_tiles()) return;
  const CpuLibrary library = CpuLibrary::loaded();
  CpuBackend cpu(library);
  std::mt19937 random(11);
  struct Shape {
    std::int64_t width, rows, n, batches;
  };
  std::vector<Shape> shapes = {{4480, 64, 180, 1}, {96, 320, 70, 1}, {96, 32, 5, 3}};
  for (const std::int64_t n : kBatches) shapes.push_back({32 * (1 + n % 5), 96, n, 1});
  for (const ggml_type type : kPackedTypes) {
    for (const auto& [width, rows, n, batches] : shapes) {
      const Rows weights = quantized(random, type, rows, width);
      const std::vector<float> batch = random_floats(random, n * batches * width);
      const auto multiply = [&](int threads, bool packed) {
        return cpu.run(
            threads,
            [&](ggml_context* made) {
              ggml_tensor* a = ggml_new_tensor_2d(made, type, width, rows);
              ggml_tensor* b = ggml_new_tensor_3d(made, GGML_TYPE_F32, width, n, batches);
              return CpuOperation{ggml_mul_mat(made, a, b),
                                  {{a, weights.bytes.data()}, {b, batch.data()}}};
            },
            packed ? layout_for_amx(library) : nullptr);
      };
      const std::vector<float> plain = multiply(1, false);
      for (const int threads : {1, 2, 3, 7}) CHECK(multiply(threads, true) == plain);
    }
  }
}

TEST("rows of a batch are rounded to eight bits as ggml rounds them, to the bit") {
  auto* traits_of = CpuLibrary::loaded().function<TraitsOf>("ggml_get_type_traits_cpu");
  auto* their_traits_of = CpuLibrary::unmodified().function<TraitsOf>("ggml_get_type_traits_cpu");
  const auto quantize = traits_of(GGML_TYPE_Q8_K)->from_float;
  const auto quantize_theirs = their_traits_of(GGML_TYPE_Q8_K)->from_float;
  std::mt19937 random(9);
  const auto compare_rows = [&](const std::vector<float>& row) {
    std::vector<block_q8_K> ours(row.size() / QK_K), theirs(row.size() / QK_K);
    quantize(row.data(), ours.data(), static_cast<std::int64_t>(row.size()));
    quantize_theirs(row.data(), theirs.data(), static_cast<std::int64_t>(row.size()));
    for (std::size_t block = 0; block < ours.size(); ++block) {
      CHECK_EQ(ours[block].d, theirs[block].d);
      CHECK(std::equal(ours[block].qs, ours[block].qs + QK_K, theirs[block].qs));
      if (ours[block].d == 0) continue;  // ggml leaves the sums of zeros as they were
      CHECK(std::equal(ours[block].bsums, ours[block].bsums + QK_K / 16, theirs[block].bsums));
    }
  };
  for (int round = 0; round < 200; ++round) compare_rows(random_floats(random, 512));
  for (const float scale : {1e-38f, 1e-30f, 1e-3f, 1e3f, 1e30f}) {
    std::vector<float> row = random_floats(random, 1024);
    for (float& value : row) value *= scale;
    compare_rows(row);
  }
  std::vector<float> row(512, 0.0f);
  compare_rows(row);
  for (const std::size_t at : {std::size_t{0}, std::size_t{17}, std::size_t{255}}) {
    row.assign(512, 0.0f);
    row[at] = -3;
    row[(at + 100) % 256] = 3;  // as far from zero: the first counts
    row[300] = 1e-20f;
    compare_rows(row);
  }
}

TEST("matrices that have panels are not repacked at load, those of experts are") {
  const std::vector<ggml_type> types = types_with_panels();
  if (types.empty()) return;
  ggml_context* made = ggml_init({1 << 20, nullptr, true});
  ggml_tensor* batch = ggml_new_tensor_2d(made, GGML_TYPE_F32, 256, 3);
  const auto product = [&](ggml_type type) {
    return ggml_mul_mat(made, ggml_new_tensor_2d(made, type, 256, 64), batch);
  };
  const bool tiles = has_tiles();
  for (const ggml_type type : types)
    CHECK_EQ(is_repacked(product(type)), tiles && is_among(kPackedTypes, type));
  for (const ggml_type type : {GGML_TYPE_Q2_K, GGML_TYPE_Q8_0, GGML_TYPE_IQ4_NL}) {
    if (std::ranges::find(types, type) != types.end()) continue;
    CHECK_EQ(is_repacked(product(type)), is_repacked(product(type), CpuLibrary::unmodified()));
  }
  ggml_tensor* experts = ggml_new_tensor_3d(made, GGML_TYPE_Q4_K, 256, 64, 4);
  ggml_tensor* rows = ggml_new_tensor_3d(made, GGML_TYPE_F32, 256, 2, 3);
  ggml_tensor* chosen = ggml_new_tensor_2d(made, GGML_TYPE_I32, 2, 3);
  CHECK(is_repacked(ggml_mul_mat_id(made, experts, rows, chosen)));
  ggml_free(made);
}
