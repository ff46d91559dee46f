// Checkpoint folders with one quantized layer, "layer.proj", for the tests of quantization:
// what each format's own packing routine does, number by number.
#pragma once

#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "checkpoint/grouped_rows.h"
#include "checkpoint/half_numbers.h"
#include "temporary_file.h"

namespace infernode {

struct TestTensor {
  std::string dtype;
  std::vector<std::size_t> shape;
  std::string bytes;
};
using TestTensors = std::map<std::string, TestTensor>;

inline std::string safetensors_bytes(const TestTensors& tensors) {
  std::string header = "{", data;
  for (const auto& [name, tensor] : tensors) {
    std::string shape;
    for (const std::size_t size : tensor.shape) {
      shape += (shape.empty() ? "" : ",") + std::to_string(size);
    }
    header += (header.size() > 1 ? ",\"" : "\"") + name + R"(":{"dtype":")" + tensor.dtype +
              R"(","shape":[)" + shape + R"(],"data_offsets":[)" + std::to_string(data.size()) +
              "," + std::to_string(data.size() + tensor.bytes.size()) + "]}";
    data += tensor.bytes;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = header.size();
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  return file + header + data;
}

// Numbers of `bits` bits in 32-bit words [rows][columns * bits / 32], packed along the columns;
// `order`[i] is the number that place i of a word holds.
template <typename NumberAt>
std::string packed_words(std::size_t rows, std::size_t columns, int bits, const int (&order)[8],
                         const NumberAt& number_at) {
  const std::size_t in_word = static_cast<std::size_t>(32 / bits);
  std::string bytes;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t first = 0; first < columns; first += in_word) {
      std::uint32_t word = 0;
      for (std::size_t i = 0; i < in_word; ++i) {
        const std::size_t column = first + static_cast<std::size_t>(order[i]);
        const auto number =
            static_cast<std::uint32_t>(column < columns ? number_at(row, column) : 0);
        word |= number << (i * static_cast<std::size_t>(bits));
      }
      bytes.append(reinterpret_cast<const char*>(&word), sizeof(word));
    }
  }
  return bytes;
}

constexpr int kTestNatural[8] = {0, 1, 2, 3, 4, 5, 6, 7};
constexpr int kTestAwq[8] = {0, 2, 4, 6, 1, 3, 5, 7};

inline void append_number(std::string& bytes, const std::string& dtype, float number) {
  const std::uint16_t half = dtype == "F16" ? half_of(number) : bfloat_of(number);
  if (dtype == "F32") {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
  } else {
    bytes.append(reinterpret_cast<const char*>(&half), sizeof(half));
  }
}

// [first][second] of numbers.
template <typename NumberAt>
TestTensor number_table(const std::string& dtype, std::size_t first, std::size_t second,
                        const NumberAt& number_at) {
  TestTensor table = {dtype, {first, second}, ""};
  for (std::size_t i = 0; i < first; ++i) {
    for (std::size_t j = 0; j < second; ++j) append_number(table.bytes, dtype, number_at(i, j));
  }
  return table;
}

struct LayerKind {
  std::string format;  // "gemm", "gemv", "fast", "llm-awq", "gptq", "gptq_v2", "packed", "int"
  std::size_t rows = 16;
  std::size_t columns = 128;
  std::size_t group = 32;
  bool symmetric = false;
  std::string scales = "F16";
  int bits = 4;

  int stored_less() const { return format == "gptq" ? 1 : 0; }
  std::size_t padded() const {
    const std::size_t words = (columns / group + 7) / 8;
    const std::size_t unit = group >= 128 ? 1 : group == 64 ? 2 : 4;
    return (words + unit - 1) / unit * unit * 8;
  }
};

inline GroupedRows random_layer(const LayerKind& kind, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  GroupedRows layer;
  layer.resize(kind.rows, kind.columns, kind.group);
  const int middle = 1 << (kind.bits - 1);
  for (auto& quant : layer.quants) quant = static_cast<std::uint8_t>(random() % (2 * middle));
  for (auto& zero : layer.zeros) {
    zero = static_cast<std::int16_t>(
        kind.symmetric ? middle : static_cast<int>(random() % (2 * middle)) + kind.stored_less());
  }
  for (auto& scale : layer.scales) {  // eight significant bits: every type holds them
    scale = static_cast<float>(128 + random() % 128) * 0x1p-15f;
  }
  return layer;
}

inline TestTensor shuffled_words(const GroupedRows& layer) {
  TestTensor words = {"I16", {layer.rows / 4, layer.columns}, ""};
  for (std::size_t top = 0; top < layer.rows; top += 4) {
    for (std::size_t left = 0; left < layer.columns; left += 64) {
      std::uint8_t tile[128] = {};
      for (std::size_t row = 0; row < 4; ++row) {
        for (std::size_t column = 0; column < 64; ++column) {
          const std::size_t in_block = column % 32;
          const std::size_t place =
              row * 64 + column / 32 * 32 + in_block % 8 / 2 * 8 + in_block % 2 * 4 + in_block / 8;
          const int quant = layer.quants[(top + row) * layer.columns + left + column];
          tile[place / 2] =
              static_cast<std::uint8_t>(tile[place / 2] | quant << (place % 2 == 0 ? 0 : 4));
        }
      }
      words.bytes.append(reinterpret_cast<const char*>(tile), sizeof(tile));
    }
  }
  return words;
}

// Tensors and quantization_config.
struct StoredLayer {
  TestTensors tensors;
  std::string config;
};

class LayerWriter {
 public:
  LayerWriter(const LayerKind& kind, const GroupedRows& layer) : kind_(kind), layer_(layer) {}

  StoredLayer stored() const {
    if (kind_.format == "packed" || kind_.format == "int") return compressed();
    StoredLayer out;
    const std::size_t rows = kind_.rows, groups = layer_.groups();
    if (kind_.format == "gemm") {
      out.tensors["layer.proj.qweight"] = {"I32", {kind_.columns, rows / 8}, transposed(kTestAwq)};
      out.tensors["layer.proj.qzeros"] = {"I32", {groups, rows / 8}, zeros_across(kTestAwq)};
      out.tensors["layer.proj.scales"] = scales_by_group(groups);
      out.config = awq("gemm");
    } else if (kind_.format == "gemv") {
      out.tensors["layer.proj.qweight"] = {"I32", {rows, kind_.columns / 8}, along()};
      out.tensors["layer.proj.qzeros"] = {
          "I32",
          {rows, kind_.padded() / 8},
          packed_words(rows, kind_.padded(), 4, kTestNatural,
                       [&](auto r, auto g) { return g < groups ? zero(r, g) : 0; })};
      out.tensors["layer.proj.scales"] =
          number_table(kind_.scales, rows, kind_.padded(),
                       [&](auto r, auto g) { return g < groups ? scale(r, g) : 0.0f; });
      out.config = awq("GEMV");
    } else if (kind_.format == "fast" || kind_.format == "llm-awq") {
      const bool fast = kind_.format == "fast";
      out.tensors["layer.proj.qweight"] = shuffled_words(layer_);
      out.tensors["layer.proj.scales"] = scales_by_group(kind_.padded());
      out.tensors[fast ? "layer.proj.qzeros" : "layer.proj.scaled_zeros"] =
          number_table(kind_.scales, kind_.padded(), rows, [&](auto g, auto r) {
            return g < groups ? -(scale(r, g) * static_cast<float>(zero(r, g))) : 0.0f;
          });
      out.config = fast ? awq("gemv_fast")
                        : R"({"quant_method":"awq","w_bit":4,"q_group_size":)" + group() +
                              R"(,"zero_point":true,"backend":"llm-awq"})";
    } else {
      gptq(out);
    }
    return out;
  }

 private:
  int quant(std::size_t row, std::size_t column) const {
    return layer_.quants[row * kind_.columns + column];
  }
  int zero(std::size_t row, std::size_t group) const {
    return layer_.zeros[row * layer_.groups() + group] - kind_.stored_less();
  }
  float scale(std::size_t row, std::size_t group) const {
    return layer_.scales[row * layer_.groups() + group];
  }
  std::string group() const {
    return kind_.group == kind_.columns ? "-1" : std::to_string(kind_.group);
  }
  std::string awq(const std::string& version) const {
    return R"({"quant_method":"awq","bits":4,"group_size":)" + group() +
           R"(,"zero_point":true,"version":")" + version + R"("})";
  }
  std::string along() const {
    return packed_words(kind_.rows, kind_.columns, kind_.bits, kTestNatural,
                        [&](auto r, auto c) { return quant(r, c); });
  }
  std::string transposed(const int (&order)[8]) const {
    return packed_words(kind_.columns, kind_.rows, 4, order,
                        [&](auto c, auto r) { return quant(r, c); });
  }
  std::string zeros_across(const int (&order)[8]) const {
    return packed_words(layer_.groups(), kind_.rows, kind_.bits, order,
                        [&](auto g, auto r) { return zero(r, g); });
  }
  TestTensor scales_by_group(std::size_t stored_groups) const {
    return number_table(kind_.scales, stored_groups, kind_.rows,
                        [&](auto g, auto r) { return g < layer_.groups() ? scale(r, g) : 0.0f; });
  }

  void gptq(StoredLayer& out) const {
    const std::size_t in_word = static_cast<std::size_t>(32 / kind_.bits);
    const std::string rows_first = along();  // words [rows][columns / in_word], to be turned
    std::string turned(rows_first.size(), '\0');
    const std::size_t width = kind_.columns / in_word;
    for (std::size_t row = 0; row < kind_.rows; ++row) {
      for (std::size_t word = 0; word < width; ++word) {
        std::memcpy(turned.data() + (word * kind_.rows + row) * 4,
                    rows_first.data() + (row * width + word) * 4, 4);
      }
    }
    std::string index;
    for (std::size_t column = 0; column < kind_.columns; ++column) {
      const auto at = static_cast<std::int32_t>(column / kind_.group);
      index.append(reinterpret_cast<const char*>(&at), sizeof(at));
    }
    const std::size_t groups = layer_.groups();
    out.tensors["layer.proj.qweight"] = {"I32", {width, kind_.rows}, turned};
    out.tensors["layer.proj.qzeros"] = {
        "I32", {groups, kind_.rows / in_word}, zeros_across(kTestNatural)};
    out.tensors["layer.proj.scales"] = scales_by_group(groups);
    out.tensors["layer.proj.g_idx"] = {"I32", {kind_.columns}, index};
    out.config = R"({"quant_method":"gptq","bits":)" + std::to_string(kind_.bits) +
                 R"(,"group_size":)" + group() + R"(,"desc_act":false,"sym":)" +
                 (kind_.symmetric ? "true" : "false") + R"(,"checkpoint_format":")" + kind_.format +
                 R"("})";
  }

  StoredLayer compressed() const {
    StoredLayer out;
    const bool packed = kind_.format == "packed";
    const std::size_t in_word = static_cast<std::size_t>(32 / kind_.bits);
    const std::size_t groups = layer_.groups();
    if (packed) {
      const std::int64_t shape[2] = {static_cast<std::int64_t>(kind_.rows),
                                     static_cast<std::int64_t>(kind_.columns)};
      out.tensors["layer.proj.weight_packed"] = {
          "I32", {kind_.rows, kind_.columns / in_word}, along()};
      out.tensors["layer.proj.weight_shape"] = {
          "I64", {2}, std::string(reinterpret_cast<const char*>(shape), sizeof(shape))};
    } else {
      TestTensor bytes = {"I8", {kind_.rows, kind_.columns}, ""};
      for (const std::uint8_t quant : layer_.quants) {
        bytes.bytes += static_cast<char>(quant - (1 << (kind_.bits - 1)));
      }
      out.tensors["layer.proj.weight"] = bytes;
    }
    out.tensors["layer.proj.weight_scale"] =
        number_table(kind_.scales, kind_.rows, groups, [&](auto r, auto g) { return scale(r, g); });
    if (!kind_.symmetric) out.tensors["layer.proj.weight_zero_point"] = zeros_down(in_word);
    const bool row = kind_.group == kind_.columns;
    out.config = R"({"quant_method":"compressed-tensors","format":")" +
                 std::string(packed ? "pack-quantized" : "int-quantized") +
                 R"(","config_groups":{"group_0":{"targets":["Linear"],"weights":{"num_bits":)" +
                 std::to_string(kind_.bits) + R"(,"type":"int","symmetric":)" +
                 (kind_.symmetric ? "true" : "false") + R"(,"strategy":")" +
                 (row ? R"(channel","group_size":null)" : R"(group","group_size":)" + group()) +
                 R"(},"input_activations":)" +
                 (packed ? "null" : R"({"num_bits":8,"type":"int","dynamic":true})") + "}}}";
    return out;
  }

  TestTensor zeros_down(std::size_t in_word) const {
    const std::size_t height = (kind_.rows + in_word - 1) / in_word, groups = layer_.groups();
    std::vector<std::uint32_t> words(height * groups);
    for (std::size_t r = 0; r < kind_.rows; ++r) {
      for (std::size_t g = 0; g < groups; ++g) {
        words[r / in_word * groups + g] |= static_cast<std::uint32_t>(zero(r, g))
                                           << (r % in_word * static_cast<std::size_t>(kind_.bits));
      }
    }
    return {"I32",
            {height, groups},
            std::string(reinterpret_cast<const char*>(words.data()), 4 * words.size())};
  }

  const LayerKind& kind_;
  const GroupedRows& layer_;
};

inline void write_layer(const TemporaryFolder& folder, const StoredLayer& layer) {
  folder.write("config.json", R"({"quantization_config":)" + layer.config + "}");
  folder.write("model.safetensors", safetensors_bytes(layer.tensors));
}

}  // namespace infernode
