// Typed access to the keys of a quantization_config: a wrong JSON type is an error that names
// file and key. Pure; any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "checkpoint/quantization_config.h"

namespace infernode {

// An object of a config, and its name for messages: "config.json: quantization_config".
struct ConfigObject {
  const nlohmann::json& value;
  std::string label;

  // nullptr if the key is missing or null.
  const nlohmann::json* find(const char* key) const;
  // These throw Error(kModelCorrupt) for another type. Texts are converted to lower case.
  [[nodiscard]] std::optional<std::int64_t> integer(const char* key) const;
  [[nodiscard]] std::optional<bool> boolean(const char* key) const;
  [[nodiscard]] std::optional<std::string> text(const char* key) const;
  [[nodiscard]] std::optional<ConfigObject> object(const char* key) const;
};

// Error(kModelFormatUnsupported) "<label>: <what> is not supported; <instead>".
[[noreturn]] void refuse(const ConfigObject& config, const std::string& what,
                         const std::string& instead);
[[noreturn]] void refuse_corrupt(const ConfigObject& config, const std::string& sentence);

// Throws for every method that cannot be loaded, known or unknown.
[[noreturn]] void refuse_method(const ConfigObject& config, const std::string& method);

// -1 and a missing key: 0, a whole row. Throws for a size that is not a multiple of ggml's blocks.
std::size_t group_size_of(const ConfigObject& config, const char* key);

QuantConfig awq_config(const ConfigObject& config);
QuantConfig gptq_config(const ConfigObject& config);
QuantConfig compressed_config(const ConfigObject& config);

}  // namespace infernode
