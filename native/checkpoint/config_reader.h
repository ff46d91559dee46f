// Values of a checkpoint's config.json, judged where they are read: a wrong one is refused by
// file and key, with what was expected and what is there. null counts as missing, as it does
// for transformers in most keys; says() tells the two apart. Borrows the JSON; any thread.
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
  // `place` is what comes before keys in messages: "text_config." or "".
  ConfigReader(const Json& object, std::string label, std::string place = "");

  const std::string& label() const { return label_; }
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  // Whether the key is there, perhaps as null.
  [[nodiscard]] bool says(std::string_view key) const;

  // nullopt where the key is missing. Throw Error(kModelCorrupt) for another type or range.
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
