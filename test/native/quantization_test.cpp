// Quantized layers of every format, read back from folders written number by number; and the
// layers that must be refused.
#include "checkpoint/quantization.h"

#include <functional>

#include "check.h"
#include "core/types.h"
#include "quantized_folder.h"

using namespace infernode;

namespace {

std::string show(const LayerKind& kind) {
  return kind.format + " " + std::to_string(kind.rows) + "x" + std::to_string(kind.columns) +
         " group " + std::to_string(kind.group) + (kind.symmetric ? " sym " : " asym ") +
         kind.scales + " " + std::to_string(kind.bits) + " bits";
}

void expect(bool good, const LayerKind& kind, const std::string& what) {
  if (!good) check::fail(__FILE__, __LINE__, show(kind) + ": " + what);
}

GroupedRows rows_of(const GroupedRows& layer, std::size_t first, std::size_t count) {
  GroupedRows part;
  part.resize(count, layer.columns, layer.group);
  const auto groups = static_cast<std::ptrdiff_t>(layer.groups());
  const auto from = static_cast<std::ptrdiff_t>(first), rows = static_cast<std::ptrdiff_t>(count);
  const auto columns = static_cast<std::ptrdiff_t>(layer.columns);
  std::copy_n(layer.quants.begin() + from * columns, rows * columns, part.quants.begin());
  std::copy_n(layer.scales.begin() + from * groups, rows * groups, part.scales.begin());
  std::copy_n(layer.zeros.begin() + from * groups, rows * groups, part.zeros.begin());
  return part;
}

void expect_rows(const LayerKind& kind, const QuantizedMatrix& matrix, const GroupedRows& layer,
                 std::size_t first, std::size_t count) {
  const GroupedRows expected = rows_of(layer, first, count);
  GroupedRows got;
  matrix.read(first, count, got);
  const std::string where = std::to_string(first) + "+" + std::to_string(count);
  expect(got.quants == expected.quants, kind, "quants of rows " + where);
  expect(got.scales == expected.scales, kind, "scales of rows " + where);
  expect(got.zeros == expected.zeros, kind, "zero points of rows " + where);
  GroupedRows groups;
  matrix.read_groups(first, count, groups);
  expect(groups.scales == expected.scales && groups.zeros == expected.zeros, kind,
         "groups alone of rows " + where);
}

void round_trip(const LayerKind& kind) {
  const GroupedRows layer = random_layer(kind, kind.rows * 31 + kind.columns);
  const TemporaryFolder path;
  write_layer(path, LayerWriter(kind, layer).stored());
  const CheckpointFolder folder = CheckpointFolder::open(path.path());
  const auto quantization = read_quantization(folder);
  const auto matrix = quantization->open("layer.proj", {kind.rows, kind.columns});
  for (const StoredTensor& tensor : folder.tensors()) {
    expect(quantization->owns(tensor.name), kind, tensor.name + " has no owner");
  }
  expect(matrix->rows() == kind.rows && matrix->columns() == kind.columns &&
             matrix->group() == kind.group && matrix->bits() == kind.bits,
         kind, "dimensions");
  expect(matrix->row_block() % 8 == 0 && matrix->row_block() > 0, kind, "row block");
  expect_rows(kind, *matrix, layer, 0, kind.rows);
  expect_rows(kind, *matrix, layer, 0, 1);
  expect_rows(kind, *matrix, layer, kind.rows - 1, 1);
  expect_rows(kind, *matrix, layer, 3, kind.rows - 5);
  expect_rows(kind, *matrix, layer, kind.rows, 0);
}

TEST("every 4-bit format gives its quants, scales and zero points back") {
  for (const char* const format :
       {"gemm", "gemv", "fast", "llm-awq", "gptq", "gptq_v2", "packed"}) {
    for (const std::size_t group : {32, 64, 128, 0}) {
      for (const bool symmetric : {false, true}) {
        for (const char* const scales : {"F16", "BF16", "F32"}) {
          LayerKind kind = {
              .format = format, .columns = 640, .symmetric = symmetric, .scales = scales};
          kind.group = group == 0 ? kind.columns : group;
          const bool fast = kind.format == "fast" || kind.format == "llm-awq";
          if (fast && kind.scales == "F32") continue;  // the kernel has 16-bit ones only
          round_trip(kind);
        }
      }
    }
  }
}

TEST("every format of 8 bits gives its quants, scales and zero points back") {
  for (const char* const format : {"gptq", "gptq_v2", "packed", "int"}) {
    for (const std::size_t group : {32, 128, 256}) {
      for (const bool symmetric : {false, true}) {
        round_trip({.format = format,
                    .columns = 256,
                    .group = group,
                    .symmetric = symmetric,
                    .scales = "BF16",
                    .bits = 8});
      }
    }
  }
}

TEST("layers of many shapes are read in tiles that do not divide them") {
  for (const char* const format : {"gemm", "gemv", "gptq", "packed"}) {
    for (const std::size_t rows : {8, 72, 1000}) {
      for (const std::size_t columns : {32, 288, 2304}) {
        round_trip({.format = format, .rows = rows, .columns = columns});
      }
    }
  }
  round_trip({.format = "fast", .rows = 12 * 8, .columns = 1216});
  round_trip({.format = "gemm", .rows = 20000, .columns = 32});  // pieces of rows alone are read
}

TEST("compressed-tensors takes rows that no word of zero points divides") {
  for (const std::size_t rows : {9, 13, 23}) round_trip({.format = "packed", .rows = rows});
}

// --- refusals ----------------------------------------------------------------

struct Refusal {
  const char* format;
  std::function<void(StoredLayer&)> change;
  ErrorCode code;
  const char* says;
};

void poke(StoredLayer& layer, const char* name, std::size_t at, std::uint16_t value) {
  std::memcpy(layer.tensors[name].bytes.data() + 2 * at, &value, sizeof(value));
}

auto without(const char* name) {
  return [name](StoredLayer& layer) { layer.tensors.erase(name); };
}

auto replaced(const char* from, const char* to) {
  return [=](StoredLayer& layer) {
    const std::size_t at = layer.config.find(from);
    if (at == std::string::npos) throw std::runtime_error("the config lacks what is replaced");
    layer.config.replace(at, std::strlen(from), to);
  };
}

void refuse_layer(const Refusal& refusal) {
  const LayerKind kind = {.format = refusal.format, .rows = 64, .columns = 64};
  StoredLayer layer = LayerWriter(kind, random_layer(kind, 7)).stored();
  refusal.change(layer);
  const TemporaryFolder path;
  write_layer(path, layer);
  const CheckpointFolder folder = CheckpointFolder::open(path.path());
  try {
    GroupedRows rows;
    const auto quantization = read_quantization(folder);
    const auto matrix = quantization->open("layer.proj", {kind.rows, kind.columns});
    if (matrix != nullptr) matrix->read(0, kind.rows, rows);
    expect(false, kind, std::string("loads, though it must say: ") + refusal.says);
  } catch (const Error& error) {
    expect(error.code() == refusal.code, kind, std::string("another code: ") + error.what());
    const std::string message = error.what();
    expect(message.find(refusal.says) != std::string::npos, kind, message);
    expect(message.find(path.path()) != std::string::npos, kind, "names no file: " + message);
  }
}

constexpr auto kCorrupt = ErrorCode::kModelCorrupt;
constexpr auto kUnsupported = ErrorCode::kModelFormatUnsupported;

TEST("tensors that contradict their format are refused, by name") {
  const Refusal refusals[] = {
      {"gemm", without("layer.proj.scales"), kCorrupt, "'layer.proj.scales'"},
      {"gemm", without("layer.proj.qzeros"), kCorrupt, "'layer.proj.qzeros'"},
      {"gemm", without("layer.proj.qweight"), kCorrupt, "layer.proj.qweight is missing"},
      {"packed", without("layer.proj.weight_zero_point"), kCorrupt, "weight_zero_point"},
      {"gemm", replaced("gemm", "gemv"), kCorrupt, "layer.proj.scales"},
      {"gemv", replaced("GEMV", "GEMM"), kCorrupt, "layer.proj.scales"},
      {"gemm", replaced("gemm", "gemv_fast"), kCorrupt, "is I32; the format has I16"},
      {"fast", replaced("gemv_fast", "gemm"), kCorrupt, "is I16; the format has I32"},
      {"gemm", replaced("32", "64"), kCorrupt, "group size"},
      {"gemm", replaced("32", "-1"), kCorrupt, "layer.proj.scales"},
      {"packed", replaced("32", "64"), kCorrupt, "layer.proj.weight_scale"},
      {"gemm",
       [](StoredLayer& layer) {
         layer.tensors["layer.proj.weight"] = {"F16", {64, 64}, std::string(8192, '\0')};
       },
       kCorrupt, "quantized or plain, not both"},
      {"gemm",
       [](StoredLayer& layer) {
         layer.tensors["layer.proj.qweight"] = {"I32", {4, 128}, std::string(2048, '\0')};
         layer.tensors.erase("layer.proj.qzeros");
       },
       kUnsupported, "Marlin"},
      {"gptq", [](StoredLayer& layer) { poke(layer, "layer.proj.g_idx", 2 * 40, 0); }, kUnsupported,
       "reorders the inputs (input 40 is in group 0)"},
      {"gptq",
       [](StoredLayer& layer) {
         poke(layer, "layer.proj.g_idx", 2 * 40, 0xfffe);
         poke(layer, "layer.proj.g_idx", 2 * 40 + 1, 0xffff);
       },
       kUnsupported, "(input 40 is in group -2)"},
      {"packed", [](StoredLayer& layer) { poke(layer, "layer.proj.weight_shape", 0, 65); },
       kCorrupt, "says 65 x 64"},
      {"gemm", [](StoredLayer& layer) { layer.config = "null"; }, kCorrupt,
       "no quantization_config"},
  };
  for (const Refusal& refusal : refusals) refuse_layer(refusal);
}

TEST("scales and zero points that are none are refused, by name and row") {
  const Refusal refusals[] = {
      {"gemm", [](StoredLayer& layer) { poke(layer, "layer.proj.scales", 5, 0x7e00); }, kCorrupt,
       "'layer.proj.scales' has a scale that is NaN or infinite in row 5"},
      {"gemv", [](StoredLayer& layer) { poke(layer, "layer.proj.scales", 32, 0x7c00); }, kCorrupt,
       "'layer.proj.scales' has a scale that is NaN or infinite in row 1"},
      {"packed", [](StoredLayer& layer) { poke(layer, "layer.proj.weight_scale", 4, 0x9000); },
       kCorrupt, "'layer.proj.weight_scale' has a negative scale beside a zero point in row 2"},
      {"gptq",
       [](StoredLayer& layer) {
         poke(layer, "layer.proj.scales", 3, 0);
         poke(layer, "layer.proj.scales", 64 + 3, 0x8000);
       },
       kCorrupt, "has only zeros as scales in row 3"},
      {"fast", [](StoredLayer& layer) { poke(layer, "layer.proj.qzeros", 3, 0xaf30); }, kCorrupt,
       "expected an integer from 0 to 15"},
      {"llm-awq", [](StoredLayer& layer) { poke(layer, "layer.proj.scaled_zeros", 3, 0x7e00); },
       kCorrupt, "expected an integer from 0 to 15"},
  };
  for (const Refusal& refusal : refusals) refuse_layer(refusal);
}

TEST("a scale of 0 in a row that has others is a group of zeros") {
  const LayerKind kind = {.format = "gemm"};
  GroupedRows layer = random_layer(kind, 1);
  layer.scales[2] = 0.0f;
  const TemporaryFolder path;
  write_layer(path, LayerWriter(kind, layer).stored());
  const CheckpointFolder folder = CheckpointFolder::open(path.path());
  expect_rows(kind, *read_quantization(folder)->open("layer.proj", {16, 128}), layer, 0, 16);
}

TEST("negative scales of symmetric layers are read as they are, as auto-round writes them") {
  for (const char* const format : {"gemm", "gptq", "packed"}) {
    const LayerKind kind = {.format = format, .symmetric = true};
    GroupedRows layer = random_layer(kind, 4);
    for (std::size_t i = 0; i < layer.scales.size(); i += 3) layer.scales[i] *= -1.0f;
    const TemporaryFolder path;
    write_layer(path, LayerWriter(kind, layer).stored());
    const CheckpointFolder folder = CheckpointFolder::open(path.path());
    expect_rows(kind, *read_quantization(folder)->open("layer.proj", {16, 128}), layer, 0, 16);
  }
}

TEST("a module with a plain weight, or none, is not quantized") {
  const LayerKind kind = {.format = "gemm"};
  StoredLayer layer = LayerWriter(kind, random_layer(kind, 3)).stored();
  layer.tensors["other.weight"] = {"F16", {8, 32}, std::string(512, '\0')};
  const TemporaryFolder path;
  write_layer(path, layer);
  const CheckpointFolder folder = CheckpointFolder::open(path.path());
  const auto quantization = read_quantization(folder);
  CHECK(quantization->open("other", {8, 32}) == nullptr);
  CHECK(quantization->open("absent", {8, 32}) == nullptr);
  CHECK(!quantization->owns("other.weight"));
}

}  // namespace
