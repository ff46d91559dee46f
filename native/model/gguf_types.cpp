// The two type tables of the GGUF format: metadata types and tensor types. The numbers are ggml's
// (ggml.h, enum ggml_type) and never change meaning; a test compares every row with the linked
// ggml. Constant data; any thread may read it.
#include <algorithm>
#include <array>

#include "model/gguf_file.h"

namespace infernode {

namespace {

constexpr std::array kTensorTypes = {
    GgufTensorType{0, "f32", 1, 4},         GgufTensorType{1, "f16", 1, 2},
    GgufTensorType{2, "q4_0", 32, 18},      GgufTensorType{3, "q4_1", 32, 20},
    GgufTensorType{6, "q5_0", 32, 22},      GgufTensorType{7, "q5_1", 32, 24},
    GgufTensorType{8, "q8_0", 32, 34},      GgufTensorType{9, "q8_1", 32, 36},
    GgufTensorType{10, "q2_K", 256, 84},    GgufTensorType{11, "q3_K", 256, 110},
    GgufTensorType{12, "q4_K", 256, 144},   GgufTensorType{13, "q5_K", 256, 176},
    GgufTensorType{14, "q6_K", 256, 210},   GgufTensorType{15, "q8_K", 256, 292},
    GgufTensorType{16, "iq2_xxs", 256, 66}, GgufTensorType{17, "iq2_xs", 256, 74},
    GgufTensorType{18, "iq3_xxs", 256, 98}, GgufTensorType{19, "iq1_s", 256, 50},
    GgufTensorType{20, "iq4_nl", 32, 18},   GgufTensorType{21, "iq3_s", 256, 110},
    GgufTensorType{22, "iq2_s", 256, 82},   GgufTensorType{23, "iq4_xs", 256, 136},
    GgufTensorType{24, "i8", 1, 1},         GgufTensorType{25, "i16", 1, 2},
    GgufTensorType{26, "i32", 1, 4},        GgufTensorType{27, "i64", 1, 8},
    GgufTensorType{28, "f64", 1, 8},        GgufTensorType{29, "iq1_m", 256, 56},
    GgufTensorType{30, "bf16", 1, 2},       GgufTensorType{34, "tq1_0", 256, 54},
    GgufTensorType{35, "tq2_0", 256, 66},   GgufTensorType{39, "mxfp4", 32, 17},
    GgufTensorType{40, "nvfp4", 64, 36},    GgufTensorType{41, "q1_0", 128, 18},
    GgufTensorType{42, "q2_0", 64, 18},
};

constexpr std::array<std::string_view, 13> kMetadataTypes = {
    "uint8", "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
    "bool",  "string", "array",  "uint64", "int64",  "float64"};

}  // namespace

const GgufTensorType* gguf_tensor_type(std::uint32_t number) {
  const auto row = std::ranges::find(kTensorTypes, number, &GgufTensorType::number);
  return row == kTensorTypes.end() ? nullptr : &*row;
}

std::string_view gguf_type_name(GgufType type) {
  const auto number = static_cast<std::size_t>(type);
  return number < kMetadataTypes.size() ? kMetadataTypes[number] : "unknown";
}

}  // namespace infernode
