// The products of quantized weights alone, on one thread: how many operations a second each CPU
// library of a list computes, in turns, as shares of what the processor's own instructions reach
// in the same minute. Weights and batch rows are random blocks; a multiplication and an
// addition are two operations.
//
//   panels_bench LIBRARY... [--types q8_0,q4_K] [--rows 32,128,512] [--rounds 5] [--limit avx2]
//                [--of operations]
//
// --of operations: whole operations of ggml instead, with the rounding of the batch, and with the
// weights in the layout that llama.cpp would bring them into for this library (repacked, or AMX).
//
// A LIBRARY is a CPU backend (libinfernode-ggml-cpu-*.so): ours, of another instruction set or an
// earlier build, or one without our routines (bin/unmodified), whose products of a type that it has
// no routine for are its vec_dot, row by row.
#include <dlfcn.h>
#include <immintrin.h>

#include <ctime>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "ggml-backend-impl.h"
#include "ggml-backend.h"
#include "ggml-cpp.h"
#include "ggml-cpu-impl.h"
#include "ggml-cpu.h"
#include "ggml.h"
#include "llamafile/sgemm.h"

namespace {

using Multiply = decltype(llamafile_sgemm);
using TraitsOf = const ggml_type_traits_cpu*(ggml_type);

// Of this thread: other programs' share of the core does not count.
double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Shape {
  std::int64_t rows, width;  // of the weights
};
constexpr Shape kShapes[] = {{1536, 576}, {5632, 2048}, {14336, 4096}};

// --- what the instructions reach ------------------------------------------------------
__attribute__((target("avx512f,avx512vnni"))) double dot_products(long times) {
  __m512i sums[12];
  for (int i = 0; i < 12; ++i) sums[i] = _mm512_set1_epi32(i);
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  for (long k = 0; k < times; ++k)
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
  __m512i sum = sums[0];
  for (int i = 1; i < 12; ++i) sum = _mm512_add_epi32(sum, sums[i]);
  alignas(64) int lanes[16];
  _mm512_store_si512(lanes, sum);
  [[maybe_unused]] volatile int kept = lanes[0];
  return static_cast<double>(times) * 12 * 128;
}

// As AVX2 multiplies bytes one by one: products of pairs, sums of these, a sum of 32 bits.
__attribute__((target("avx2"))) double pairs_of_bytes(long times) {
  __m256i sums[8];
  for (int i = 0; i < 8; ++i) sums[i] = _mm256_set1_epi16(static_cast<short>(i));
  const __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5), ones = _mm256_set1_epi16(1);
  for (long k = 0; k < times; ++k)
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      __m256i bytes = a;
      __asm__ volatile("" : "+x"(bytes));  // or the product is computed once
      sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(_mm256_maddubs_epi16(bytes, b), ones));
    }
  __m256i sum = sums[0];
  for (int i = 1; i < 8; ++i) sum = _mm256_add_epi32(sum, sums[i]);
  [[maybe_unused]] volatile int kept = _mm256_extract_epi32(sum, 0);
  return static_cast<double>(times) * 8 * 64;
}

double peak(double (*run)(long)) {
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const double begin = processor_seconds();
    const double operations = run(2'000'000);
    best = std::max(best, operations / (processor_seconds() - begin));
  }
  return best;
}

// --- a library's products -------------------------------------------------------------
struct Library {
  std::string path;
  Multiply* multiply;
  TraitsOf* traits_of;
  ggml_backend_dev_t device;
  ggml_backend_t backend;  // of one thread

  explicit Library(const std::string& file) : path(file) {
    void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw std::runtime_error(dlerror());
    multiply = reinterpret_cast<Multiply*>(dlsym(handle, "llamafile_sgemm"));
    traits_of = reinterpret_cast<TraitsOf*>(dlsym(handle, "ggml_get_type_traits_cpu"));
    const auto init = reinterpret_cast<ggml_backend_init_t>(dlsym(handle, "ggml_backend_init"));
    if (multiply == nullptr || traits_of == nullptr || init == nullptr)
      throw std::runtime_error(file + " is no CPU backend");
    ggml_backend_reg_t registry = init();
    device = ggml_backend_reg_dev_get(registry, 0);
    backend = ggml_backend_dev_init(device, nullptr);
    reinterpret_cast<ggml_backend_set_n_threads_t>(
        ggml_backend_reg_get_proc_address(registry, "ggml_backend_set_n_threads"))(backend, 1);
  }
};

struct Product {
  ggml_type type;
  std::int64_t m, n, width;
  std::vector<char> weights, batch;
  std::vector<float> out;
};

std::vector<char> quantized(std::mt19937& random, ggml_type type, std::int64_t rows,
                            std::int64_t width) {
  std::normal_distribution<float> normal;
  std::vector<float> floats(static_cast<std::size_t>(width));
  const std::size_t each = ggml_row_size(type, width);
  std::vector<char> made(each * static_cast<std::size_t>(rows));
  // A few rows are random, the others theirs again: quantizing takes longer than the rest.
  for (std::int64_t row = 0; row < rows; ++row) {
    char* const to = made.data() + each * static_cast<std::size_t>(row);
    if (row >= 16) {
      std::memcpy(to, made.data() + each * static_cast<std::size_t>(row % 16), each);
      continue;
    }
    for (float& value : floats) value = normal(random);
    ggml_quantize_chunk(type, floats.data(), to, 0, 1, width, nullptr);
  }
  return made;
}

std::vector<char> batch_of(std::mt19937& random, const Library& library, ggml_type type,
                           std::int64_t rows, std::int64_t width) {
  std::normal_distribution<float> normal;
  std::vector<float> floats(static_cast<std::size_t>(width));
  const std::size_t each = ggml_row_size(type, width);
  std::vector<char> made(each * static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (float& value : floats) value = normal(random);
    library.traits_of(type)->from_float(floats.data(),
                                        made.data() + each * static_cast<std::size_t>(row), width);
  }
  return made;
}

void compute(const Library& library, Product& of) {
  const ggml_type_traits_cpu& traits = *library.traits_of(of.type);
  const std::int64_t k = of.width / ggml_blck_size(of.type);
  const ggml_compute_params params{0, 1, 0, nullptr, nullptr, false};
  if (library.multiply(&params, of.m, of.n, k, of.weights.data(), k, of.batch.data(), k,
                       of.out.data(), of.m, of.type, traits.vec_dot_type, GGML_TYPE_F32))
    return;
  const std::size_t a = ggml_row_size(of.type, of.width);
  const std::size_t b = ggml_row_size(traits.vec_dot_type, of.width);
  // 16 x 16 at a time, as ggml divides a product that it has no other routine for.
  for (std::int64_t j = 0; j < of.n; j += 16)
    for (std::int64_t i = 0; i < of.m; i += 16)
      for (std::int64_t column = j; column < std::min(j + 16, of.n); ++column)
        for (std::int64_t row = i; row < std::min(i + 16, of.m); ++row)
          traits.vec_dot(static_cast<int>(of.width), of.out.data() + of.m * column + row, 0,
                         of.weights.data() + a * static_cast<std::size_t>(row), 0,
                         of.batch.data() + b * static_cast<std::size_t>(column), 0, 1);
}

// The same product as an operation of ggml, its weights in the first layout that llama.cpp would
// choose.
class Operation {
 public:
  Operation(const Library& library, const Product& of) : backend_(library.backend) {
    weight_ = ggml_new_tensor_2d(weights_.get(), of.type, of.width, of.m);
    ggml_tensor* input = ggml_new_tensor_2d(values_.get(), GGML_TYPE_F32, of.width, of.n);
    ggml_tensor* product = ggml_mul_mat(values_.get(), weight_, input);
    graph_ = ggml_new_graph(values_.get());
    ggml_build_forward_expand(graph_, product);
    weight_buffer_.reset(
        ggml_backend_alloc_ctx_tensors_from_buft(weights_.get(), layout(library, product)));
    value_buffer_.reset(ggml_backend_alloc_ctx_tensors(values_.get(), backend_));
    if (weight_buffer_ == nullptr || value_buffer_ == nullptr)
      throw std::runtime_error("there is too little memory");
    ggml_backend_tensor_set(weight_, of.weights.data(), 0, of.weights.size());
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> floats(static_cast<std::size_t>(of.width * of.n));
    for (float& value : floats) value = normal(random);
    ggml_backend_tensor_set(input, floats.data(), 0, ggml_nbytes(input));
  }

  void compute() const {
    if (ggml_backend_graph_compute(backend_, graph_) != GGML_STATUS_SUCCESS)
      throw std::runtime_error("a product failed");
  }

 private:
  ggml_backend_buffer_type_t layout(const Library& library, const ggml_tensor* product) const {
    const auto extra =
        reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
            ggml_backend_dev_backend_reg(library.device), "ggml_backend_dev_get_extra_bufts"));
    for (ggml_backend_buffer_type_t* each = extra(library.device); *each != nullptr; ++each) {
      const ggml_backend_buffer_ptr empty(ggml_backend_buft_alloc_buffer(*each, 0));
      weight_->buffer = empty.get();
      const bool taken = ggml_backend_dev_supports_op(library.device, product);
      weight_->buffer = nullptr;
      if (taken) return *each;
    }
    return ggml_backend_dev_buffer_type(library.device);
  }

  ggml_context_ptr weights_{ggml_init({1 << 12, nullptr, true})};
  ggml_context_ptr values_{ggml_init({1 << 20, nullptr, true})};
  ggml_backend_t backend_;
  ggml_tensor* weight_;
  ggml_cgraph* graph_;
  ggml_backend_buffer_ptr weight_buffer_, value_buffer_;
};

// Of a product: the mean of a hundredth of a second.
template <typename Compute>
double seconds_of(const Compute& compute) {
  int times = 0;
  const double begin = processor_seconds();
  double time = 0;
  do {
    compute();
    ++times;
    time = processor_seconds() - begin;
  } while (time < 0.01);
  return time / times;
}

struct Wish {
  std::vector<std::string> libraries,
      types{"q8_0", "q5_0", "q5_1", "q4_0", "q4_1", "iq4_nl", "q4_K", "q5_K", "q6_K"};
  std::vector<std::int64_t> rows{32, 128, 512};
  int rounds = 5;
  bool of_avx2 = false;  // shares of what AVX2's instructions reach, where the processor has more
  bool of_operations = false;
};

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream from(list);
  for (std::string part; std::getline(from, part, ',');) parts.push_back(part);
  return parts;
}

Wish wish_of(int count, char** words) {
  Wish wish;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word.rfind("--", 0) != 0) {
      wish.libraries.push_back(word);
      continue;
    }
    if (++i == count) throw std::runtime_error(word + " needs a value");
    if (word == "--types") {
      wish.types = parts_of(words[i]);
    } else if (word == "--rounds") {
      wish.rounds = std::max(1, std::atoi(words[i]));
    } else if (word == "--limit") {
      wish.of_avx2 = std::strcmp(words[i], "avx2") == 0;
    } else if (word == "--of") {
      wish.of_operations = std::strcmp(words[i], "operations") == 0;
    } else if (word == "--rows") {
      wish.rows.clear();
      for (const std::string& part : parts_of(words[i])) wish.rows.push_back(std::stoll(part));
    } else {
      throw std::runtime_error(
          word + " is no option; there are --types, --rows, --rounds, --limit and --of");
    }
  }
  if (wish.libraries.empty()) throw std::runtime_error("name the library of a CPU backend");
  return wish;
}

ggml_type type_named(const std::string& name) {
  for (int type = 0; type < GGML_TYPE_COUNT; ++type) {
    const char* known = ggml_type_name(static_cast<ggml_type>(type));
    if (known != nullptr && name == known) return static_cast<ggml_type>(type);
  }
  throw std::runtime_error(name + " is no type of weights");
}

void measure(const Wish& wish, const std::vector<Library>& libraries, double limit) {
  std::mt19937 random(1);
  for (const std::string& name : wish.types) {
    const ggml_type type = type_named(name);
    for (const Shape& shape : kShapes) {
      if (shape.width % ggml_blck_size(type) != 0) continue;
      const std::vector<char> weights = quantized(random, type, shape.rows, shape.width);
      for (const std::int64_t n : wish.rows) {
        Product of{type, shape.rows, n, shape.width, weights, {}, {}};
        of.out.resize(static_cast<std::size_t>(of.m * n));
        of.batch = batch_of(random, libraries.front(),
                            libraries.front().traits_of(type)->vec_dot_type, n, shape.width);
        std::vector<std::unique_ptr<Operation>> whole;
        if (wish.of_operations)
          for (const Library& library : libraries)
            whole.push_back(std::make_unique<Operation>(library, of));
        std::vector<double> best(libraries.size(), 1e9);
        for (int round = 0; round < wish.rounds; ++round)
          for (std::size_t i = 0; i < libraries.size(); ++i)
            best[i] = std::min(best[i], wish.of_operations
                                            ? seconds_of([&] { whole[i]->compute(); })
                                            : seconds_of([&] { compute(libraries[i], of); }));
        const double operations = 2.0 * static_cast<double>(of.m * n * of.width);
        std::printf("%-7s %5lld x %4lld, %3lld rows:", name.c_str(),
                    static_cast<long long>(shape.rows), static_cast<long long>(shape.width),
                    static_cast<long long>(n));
        for (const double seconds : best)
          std::printf("  %.3f Top/s (%.2f)", operations / seconds / 1e12,
                      operations / seconds / limit);
        std::puts("");
        std::fflush(stdout);
      }
    }
  }
}

}  // namespace

int main(int count, char** words) try {
  const Wish wish = wish_of(count, words);
  const std::vector<Library> libraries(wish.libraries.begin(), wish.libraries.end());
  const bool vnni = __builtin_cpu_supports("avx512vnni");
  const double bytes = peak(pairs_of_bytes);
  const double dots = vnni ? peak(dot_products) : 0;
  std::printf("one thread: products of bytes by AVX2 %.3f Top/s, by VNNI of 512 bits %.3f\n",
              bytes / 1e12, dots / 1e12);
  for (const Library& library : libraries) std::printf("library: %s\n", library.path.c_str());
  measure(wish, libraries, wish.of_avx2 ? bytes : std::max(bytes, dots));
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "panels_bench: %s\n", error.what());
  return 1;
}
