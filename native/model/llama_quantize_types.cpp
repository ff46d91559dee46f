#include "model/llama_quantize_types.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/types.h"
#include "llama.h"

namespace infernode {

namespace {

struct NamedType {
  std::string_view name;
  llama_ftype type;
};

// Excludes the types that llama.cpp refuses to make without an importance matrix.
constexpr std::array kNamedTypes = {
    NamedType{"q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},     NamedType{"q6_k", LLAMA_FTYPE_MOSTLY_Q6_K},
    NamedType{"q5_k_m", LLAMA_FTYPE_MOSTLY_Q5_K_M}, NamedType{"q5_k_s", LLAMA_FTYPE_MOSTLY_Q5_K_S},
    NamedType{"q5_k", LLAMA_FTYPE_MOSTLY_Q5_K_M},   NamedType{"q5_1", LLAMA_FTYPE_MOSTLY_Q5_1},
    NamedType{"q5_0", LLAMA_FTYPE_MOSTLY_Q5_0},     NamedType{"q4_k_m", LLAMA_FTYPE_MOSTLY_Q4_K_M},
    NamedType{"q4_k_s", LLAMA_FTYPE_MOSTLY_Q4_K_S}, NamedType{"q4_k", LLAMA_FTYPE_MOSTLY_Q4_K_M},
    NamedType{"q4_1", LLAMA_FTYPE_MOSTLY_Q4_1},     NamedType{"q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},
    NamedType{"iq4_nl", LLAMA_FTYPE_MOSTLY_IQ4_NL}, NamedType{"iq4_xs", LLAMA_FTYPE_MOSTLY_IQ4_XS},
    NamedType{"q3_k_l", LLAMA_FTYPE_MOSTLY_Q3_K_L}, NamedType{"q3_k_m", LLAMA_FTYPE_MOSTLY_Q3_K_M},
    NamedType{"q3_k_s", LLAMA_FTYPE_MOSTLY_Q3_K_S}, NamedType{"q3_k", LLAMA_FTYPE_MOSTLY_Q3_K_M},
    NamedType{"iq3_m", LLAMA_FTYPE_MOSTLY_IQ3_M},   NamedType{"iq3_s", LLAMA_FTYPE_MOSTLY_IQ3_S},
    NamedType{"q2_k", LLAMA_FTYPE_MOSTLY_Q2_K},     NamedType{"f16", LLAMA_FTYPE_MOSTLY_F16},
    NamedType{"bf16", LLAMA_FTYPE_MOSTLY_BF16},     NamedType{"f32", LLAMA_FTYPE_ALL_F32},
};

}  // namespace

std::vector<std::string> quantize_types() {
  std::vector<std::string> names;
  for (const NamedType& type : kNamedTypes) names.emplace_back(type.name);
  return names;
}

std::int32_t quantize_type(std::string_view name) {
  const std::string lower = lower_case(name);
  const auto found = std::ranges::find(kNamedTypes, lower, &NamedType::name);
  if (found != kNamedTypes.end()) return found->type;
  std::string known;
  for (const NamedType& type : kNamedTypes)
    known += (known.empty() ? "" : ", ") + std::string(type.name);
  throw Error(ErrorCode::kInvalidOption,
              "quantize: \"" + lower.substr(0, 32) +
                  "\" is not a type that weights can be quantized to; use one of " + known + ".");
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& letter : lower)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return lower;
}

}  // namespace infernode
