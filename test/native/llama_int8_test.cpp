// Quants of -128: ggml's own quantizer never makes them, 8-bit checkpoints hold them. The
// products of such Q8_0 weights, alone and in batches, are what floats give.
#include <random>
#include <vector>

#include "check.h"
#include "llama_cpu_backend.h"
#include "packing_fixture.h"

using namespace infernode;

namespace {

constexpr std::size_t kRows = 48, kColumns = 256;

// 8-bit rows of which a quarter of the quants are the least.
GroupedRows extreme_rows() {
  GroupedRows rows = random_rows(kRows, kColumns, 64, 1, {.bits = 8});
  for (std::size_t i = 0; i < rows.quants.size(); i += 4) rows.quants[i] = 0;
  for (std::size_t i = 0; i < kColumns; ++i) rows.quants[i] = 0;  // and all of one row
  return rows;
}

std::vector<float> products(CpuBackend& cpu, PackedType type, const std::vector<std::byte>& weights,
                            const std::vector<float>& batch, std::int64_t count) {
  return cpu.run(2, [&](ggml_context* made) {
    ggml_tensor* a =
        ggml_new_tensor_2d(made, static_cast<ggml_type>(ggml_type_number(type)), kColumns, kRows);
    ggml_tensor* b = ggml_new_tensor_2d(made, GGML_TYPE_F32, kColumns, count);
    return CpuOperation{ggml_mul_mat(made, a, b), {{a, weights.data()}, {b, batch.data()}}};
  });
}

}  // namespace

TEST("weights of -128 are multiplied as what they are, in batches of any size") {
  CpuBackend cpu;
  const GroupedRows rows = extreme_rows();
  std::vector<std::byte> whole(kRows * packed_row_bytes(PackedType::kQ8_0, kColumns));
  std::vector<std::byte> floats(kRows * packed_row_bytes(PackedType::kF32, kColumns));
  pack_rows(rows, PackedType::kQ8_0, whole, nullptr);
  pack_rows(rows, PackedType::kF32, floats, nullptr);
  std::mt19937 random(2);
  for (const std::int64_t count : {1, 2, 3, 4, 7, 8, 9, 16, 31, 64, 65, 130}) {
    // Whole numbers up to 127, of which one is: ggml's 8-bit activations hold them exactly.
    std::vector<float> batch(kColumns * static_cast<std::size_t>(count));
    for (float& value : batch) value = static_cast<float>(static_cast<int>(random() % 255) - 127);
    for (std::size_t i = 0; i < batch.size(); i += 32) batch[i] = random() % 2 == 0 ? 127 : -127;
    const std::vector<float> found = products(cpu, PackedType::kQ8_0, whole, batch, count);
    const std::vector<float> expected = products(cpu, PackedType::kF32, floats, batch, count);
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(found[i]) - expected[i]));
      largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    }
    CHECK(worst < 1e-5 * largest);
  }
}
