// Reads and checks values of a checkpoint's config.json: an invalid one is refused with file, key,
// the expected and the actual value. null counts as missing, as it does in transformers for most
// keys; says() distinguishes them. Borrows the JSON; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/json_text.h"
#include "core/types.h"

namespace infernode {

class ConfigReader {
 public:
  // `place` precedes keys in messages: "text_config." or "".
  ConfigReader(const Json& object, std::string label, std::string place = "");

  const std::string& label() const { return label_; }
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  // Whether the key exists, even if it is null.
  [[nodiscard]] bool says(std::string_view key) const;

  // nullopt if the key is missing. Throw Error(kModelCorrupt) for another type or range.
  [[nodiscard]] std::optional<std::uint64_t> whole(std::string_view key, std::uint64_t least,
                                                   std::uint64_t most) const;
  [[nodiscard]] std::optional<double> number(std::string_view key, double least, double most) const;
  [[nodiscard]] std::optional<bool> flag(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  [[nodiscard]] std::optional<ConfigReader> object(std::string_view key) const;
  [[nodiscard]] std::optional<std::vector<std::string>> texts(std::string_view key) const;
  // `count` numbers in [least, most].
  [[nodiscard]] std::optional<std::vector<float>> numbers(std::string_view key, std::size_t count,
                                                          double least, double most) const;

  // "<file>: `<key>` <why>."
  [[noreturn]] void refuse(std::string_view key, const std::string& why,
                           ErrorCode code = ErrorCode::kModelCorrupt) const;

 private:
  const Json* find(std::string_view key) const;
  [[noreturn]] void refuse_value(std::string_view key, const std::string& expected,
                                 const Json& value) const;

  const Json* object_;
  std::string label_;
  std::string place_;
};

}  // namespace infernode
