// Our attention in the CPU backend that is loaded: beside softmax(q k) v in double
// precision and beside ggml's own routine, in a library that has no other, and what a row
// gets alone, beside others and on any number of threads, to the bit. On instruction sets
// where ours was not measured (native/cpu/measured_sets.h) the loaded backend is ggml's own.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "check.h"
#include "ggml.h"
#include "llama_cpu_backend.h"

using namespace infernode;

namespace {

struct Shape {
  std::int64_t key_size, value_size, heads, key_heads, cells, streams;
};

struct Case {
  Shape shape;
  std::int64_t tokens;
  std::vector<float> queries;             // [stream][head][token][key size]
  std::vector<ggml_fp16_t> keys, values;  // [stream][head][cell][size]
  std::vector<ggml_fp16_t> mask;          // [stream][token][cell]
  float scale;
  float max_bias = 0;  // of ALiBi
  float softcap = 0;
};

const ggml_fp16_t kHidden = ggml_fp32_to_fp16(-INFINITY);

std::vector<ggml_fp16_t> random_halves(std::mt19937& random, std::int64_t count) {
  std::normal_distribution<float> normal;
  std::vector<ggml_fp16_t> halves(static_cast<std::size_t>(count));
  for (ggml_fp16_t& half : halves) half = ggml_fp32_to_fp16(normal(random));
  return halves;
}

// Tokens see what lies before them; holes are cells of other sequences, and one token in
// four sees nothing at all.
Case random_case(std::mt19937& random, const Shape& shape, std::int64_t tokens, bool blind) {
  Case made{shape, tokens, {}, {}, {}, {}, 1.0f / std::sqrt(static_cast<float>(shape.key_size))};
  std::normal_distribution<float> normal;
  made.queries.resize(
      static_cast<std::size_t>(shape.streams * shape.heads * tokens * shape.key_size));
  for (float& value : made.queries) value = 2 * normal(random);
  const std::int64_t rows = shape.streams * shape.key_heads * shape.cells;
  made.keys = random_halves(random, rows * shape.key_size);
  made.values = random_halves(random, rows * shape.value_size);
  for (std::int64_t stream = 0; stream < shape.streams; ++stream) {
    const auto before = static_cast<std::int64_t>(random() % static_cast<unsigned>(shape.cells));
    for (std::int64_t token = 0; token < tokens; ++token) {
      const bool sees = !blind || token % 4 != 3;
      for (std::int64_t cell = 0; cell < shape.cells; ++cell) {
        const bool visible = sees && cell <= before + token && (cell * 7 + stream) % 11 != 0;
        made.mask.push_back(visible ? ggml_fp32_to_fp16(0) : kHidden);
      }
    }
  }
  return made;
}

// The tokens [first, first + count) of a case alone.
Case part_of(const Case& of, std::int64_t first, std::int64_t count) {
  Case part = of;
  part.tokens = count;
  part.queries.clear();
  part.mask.clear();
  const Shape& shape = of.shape;
  for (std::int64_t row = 0; row < shape.streams * shape.heads; ++row) {
    const auto begin = of.queries.begin() + (row * of.tokens + first) * shape.key_size;
    part.queries.insert(part.queries.end(), begin, begin + count * shape.key_size);
  }
  for (std::int64_t stream = 0; stream < shape.streams; ++stream) {
    const auto begin = of.mask.begin() + (stream * of.tokens + first) * shape.cells;
    part.mask.insert(part.mask.end(), begin, begin + count * shape.cells);
  }
  return part;
}

bool hidden_from_all(const Case& of, std::int64_t stream, std::int64_t cell) {
  for (std::int64_t token = 0; token < of.tokens; ++token) {
    const std::int64_t at = (stream * of.tokens + token) * of.shape.cells + cell;
    if (of.mask[static_cast<std::size_t>(at)] != kHidden) return false;
  }
  return true;
}

class Cpu {
 public:
  explicit Cpu(const CpuLibrary& library = CpuLibrary::loaded()) : backend_(library) {}

  // [stream][token][head][value size]
  std::vector<float> run(const Case& of, int threads) {
    return backend_.run(threads, [&](ggml_context* made) {
      const Shape& s = of.shape;
      const auto halves = [&](std::int64_t size, std::int64_t rows, std::int64_t heads) {
        return ggml_new_tensor_4d(made, GGML_TYPE_F16, size, rows, heads, s.streams);
      };
      ggml_tensor* q =
          ggml_new_tensor_4d(made, GGML_TYPE_F32, s.key_size, of.tokens, s.heads, s.streams);
      ggml_tensor* k = halves(s.key_size, s.cells, s.key_heads);
      ggml_tensor* v = halves(s.value_size, s.cells, s.key_heads);
      ggml_tensor* mask = halves(s.cells, of.tokens, 1);
      return CpuOperation{
          ggml_flash_attn_ext(made, q, k, v, mask, of.scale, of.max_bias, of.softcap),
          {{q, of.queries.data()},
           {k, of.keys.data()},
           {v, of.values.data()},
           {mask, of.mask.data()}}};
    });
  }

 private:
  CpuBackend backend_;
};

std::vector<float> expected_of(const Case& of) {
  const Shape& s = of.shape;
  std::vector<float> out;
  std::vector<double> weights(static_cast<std::size_t>(s.cells));
  for (std::int64_t stream = 0; stream < s.streams; ++stream) {
    for (std::int64_t token = 0; token < of.tokens; ++token) {
      for (std::int64_t head = 0; head < s.heads; ++head) {
        const std::int64_t key_head = head / (s.heads / s.key_heads);
        const float* query = &of.queries[static_cast<std::size_t>(
            ((stream * s.heads + head) * of.tokens + token) * s.key_size)];
        const std::int64_t first = (stream * s.key_heads + key_head) * s.cells;
        double total = 0;
        for (std::int64_t cell = 0; cell < s.cells; ++cell) {
          double score = 0;
          for (std::int64_t i = 0; i < s.key_size; ++i) {
            const auto index = static_cast<std::size_t>((first + cell) * s.key_size + i);
            score += static_cast<double>(query[i]) *
                     static_cast<double>(ggml_fp16_to_fp32(of.keys[index]));
          }
          const auto masked =
              static_cast<std::size_t>((stream * of.tokens + token) * s.cells + cell);
          const bool hidden = of.mask[masked] == kHidden;
          weights[static_cast<std::size_t>(cell)] =
              hidden ? 0 : std::exp(score * static_cast<double>(of.scale));
          total += weights[static_cast<std::size_t>(cell)];
        }
        for (std::int64_t i = 0; i < s.value_size; ++i) {
          double sum = 0;
          for (std::int64_t cell = 0; cell < s.cells; ++cell) {
            const auto index = static_cast<std::size_t>((first + cell) * s.value_size + i);
            sum += weights[static_cast<std::size_t>(cell)] *
                   static_cast<double>(ggml_fp16_to_fp32(of.values[index]));
          }
          out.push_back(static_cast<float>(total == 0 ? 0 : sum / total));
        }
      }
    }
  }
  return out;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  CHECK_EQ(a.size(), b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(!std::isnan(a[i]));
    most = std::max(most, static_cast<double>(std::fabs(a[i] - b[i])));
  }
  return most;
}

constexpr Shape kShapes[] = {
    {64, 64, 8, 4, 256, 1}, {64, 64, 8, 4, 256, 3},   {128, 128, 4, 4, 300, 1},
    {32, 32, 6, 2, 77, 2},  {72, 40, 4, 1, 512, 1},   {64, 64, 14, 2, 1024, 2},
    {8, 16, 1, 1, 5, 1},    {256, 256, 8, 1, 130, 1},
};

bool ours_is_compiled_in() {
  auto* answer = CpuLibrary::loaded().function<bool()>("infernode_has_attention");
  CHECK(answer != nullptr);
  if (answer != nullptr && answer()) return true;
  std::printf("SKIPPED: on this CPU's instruction sets ggml's own attention runs\n");
  return false;
}

}  // namespace

TEST("attention is that of double precision, nearer than ggml's own") {
  if (!ours_is_compiled_in()) return;
  Cpu cpu;
  Cpu upstream(CpuLibrary::unmodified());
  std::mt19937 random(5);
  double ours = 0;
  double theirs = 0;
  int compared = 0;
  for (const Shape& shape : kShapes) {
    for (const std::int64_t tokens : {1, 2, 3, 7, 16, 33, 64, 70}) {
      const Case made = random_case(random, shape, tokens, true);
      const std::vector<float> expected = expected_of(made);
      const double mine = largest_difference(cpu.run(made, 2), expected);
      CHECK(mine < 2e-5);
      ours = std::max(ours, mine);
      theirs = std::max(theirs, largest_difference(upstream.run(made, 2), expected));
      ++compared;
    }
  }
  std::printf("%d operations: largest error %.1e, of ggml's routine %.1e\n", compared, ours,
              theirs);
  CHECK(ours < theirs);
}

TEST("a row has the same result alone, among others, and on any number of threads") {
  if (!ours_is_compiled_in()) return;
  Cpu cpu;
  std::mt19937 random(6);
  for (const Shape& shape : kShapes) {
    if (shape.cells >= 512) continue;  // on many threads, ggml divides so many cells
    for (const std::int64_t tokens : {2, 5, 16, 40, 70}) {
      const Case all = random_case(random, shape, tokens, false);
      const std::vector<float> together = cpu.run(all, 2);
      for (const int threads : {1, 3, 8})
        CHECK(std::memcmp(cpu.run(all, threads).data(), together.data(),
                          together.size() * sizeof(float)) == 0);
      const std::int64_t first =
          static_cast<std::int64_t>(random() % static_cast<unsigned>(tokens));
      const std::int64_t count =
          std::min<std::int64_t>(tokens - first, 1 + static_cast<std::int64_t>(random() % 3));
      const std::vector<float> alone = cpu.run(part_of(all, first, count), 2);
      const auto row = static_cast<std::size_t>(shape.heads * shape.value_size);
      for (std::int64_t stream = 0; stream < shape.streams; ++stream) {
        const float* expected = &together[static_cast<std::size_t>(stream * tokens + first) * row];
        const float* found = &alone[static_cast<std::size_t>(stream * count) * row];
        CHECK_EQ(
            std::memcmp(found, expected, static_cast<std::size_t>(count) * row * sizeof(float)), 0);
      }
    }
  }
}

TEST("what hidden cells hold changes nothing, be it infinite or no number at all") {
  if (!ours_is_compiled_in()) return;
  Cpu cpu;
  std::mt19937 random(8);
  for (const Shape& shape : kShapes) {
    for (const std::int64_t tokens : {1, 3, 33, 70}) {
      const Case clean = random_case(random, shape, tokens, true);
      Case soiled = clean;
      int cells = 0;
      for (std::int64_t stream = 0; stream < shape.streams; ++stream) {
        for (std::int64_t cell = 0; cell < shape.cells; ++cell) {
          if (!hidden_from_all(clean, stream, cell)) continue;
          ++cells;
          for (std::int64_t head = 0; head < shape.key_heads; ++head) {
            const std::int64_t row = (stream * shape.key_heads + head) * shape.cells + cell;
            const float bad[] = {INFINITY, -INFINITY, NAN};
            soiled.keys[static_cast<std::size_t>(row * shape.key_size)] =
                ggml_fp32_to_fp16(bad[cell % 3]);
            soiled.values[static_cast<std::size_t>(row * shape.value_size)] =
                ggml_fp32_to_fp16(bad[(cell + 1) % 3]);
          }
        }
      }
      CHECK(cells > 0);
      const std::vector<float> expected = cpu.run(clean, 2);
      const std::vector<float> found = cpu.run(soiled, 2);
      CHECK_EQ(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)), 0);
    }
  }
}

TEST("what ggml alone knows is left to it, on other instruction sets everything") {
  Cpu cpu;
  Cpu upstream(CpuLibrary::unmodified());
  std::mt19937 random(7);
  Case made = random_case(random, {16, 16, 2, 2, 40, 1}, 3, false);
  made.shape.key_size = 12;  // no multiple of eight
  made.shape.value_size = 12;
  CHECK(cpu.run(made, 2) == upstream.run(made, 2));
  CHECK(largest_difference(cpu.run(made, 2), expected_of(made)) < 1e-2);
  const bool ours = ours_is_compiled_in();
  for (const Shape& shape : kShapes) {
    const Case ordinary = random_case(random, shape, 3, false);
    if (!ours || &shape == kShapes)  // few heads with many cells are left to ggml everywhere
      CHECK_EQ(cpu.run(ordinary, 2) != upstream.run(ordinary, 2), ours);
    for (const auto& [max_bias, softcap] : {std::pair(8.0f, 0.0f), std::pair(0.0f, 30.0f)}) {
      Case special = ordinary;
      special.max_bias = max_bias;
      special.softcap = softcap;
      CHECK(cpu.run(special, 2) == upstream.run(special, 2));
    }
  }
}
