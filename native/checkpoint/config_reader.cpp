#include "checkpoint/config_reader.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "model/gguf_text.h"

namespace infernode {

namespace {

constexpr std::size_t kMostShown = 60;    // bytes of a value in a message
constexpr std::size_t kMostTexts = 4096;  // there is at most one text per layer

std::string written(double number) {
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%g", number);
  return digits.data();
}

std::string range(const std::string& kind, const std::string& least, const std::string& most) {
  return kind + " from " + least + " to " + most;
}

}  // namespace

ConfigReader::ConfigReader(const Json& object, std::string label, std::string place)
    : object_(&object), label_(std::move(label)), place_(std::move(place)) {}

const Json* ConfigReader::find(std::string_view key) const {
  const auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

bool ConfigReader::says(std::string_view key) const { return object_->contains(key); }

void ConfigReader::refuse(std::string_view key, const std::string& why, ErrorCode code) const {
  throw Error(code, quoted_path(label_) + ": `" + place_ + std::string(key) + "` " + why + ".");
}

void ConfigReader::refuse_value(std::string_view key, const std::string& expected,
                                const Json& value) const {
  std::string shown = value.is_structured()
                          ? std::string(value.is_array() ? "an array" : "an object")
                          : value.dump(-1, ' ', true);
  if (shown.size() > kMostShown) shown = shown.substr(0, kMostShown) + "...";
  refuse(key, "must be " + expected + ", is " + shown);
}

std::optional<std::uint64_t> ConfigReader::whole(std::string_view key, std::uint64_t least,
                                                 std::uint64_t most) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const bool natural = value->is_number_unsigned();
  const std::uint64_t number = natural ? value->get<std::uint64_t>() : 0;
  if (!natural || number < least || number > most)
    refuse_value(key, range("an integer", std::to_string(least), std::to_string(most)), *value);
  return number;
}

std::optional<double> ConfigReader::number(std::string_view key, double least, double most) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const double number = value->is_number() ? value->get<double>() : 0;
  if (!value->is_number() || !(number >= least && number <= most))
    refuse_value(key, range("a number", written(least), written(most)), *value);
  return number;
}

std::optional<bool> ConfigReader::flag(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) refuse_value(key, "true or false", *value);
  return value->get<bool>();
}

std::optional<std::string> ConfigReader::text(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) refuse_value(key, "a string", *value);
  return value->get<std::string>();
}

std::optional<ConfigReader> ConfigReader::object(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) refuse_value(key, "an object", *value);
  return ConfigReader(*value, label_, place_ + std::string(key) + ".");
}

std::optional<std::vector<std::string>> ConfigReader::texts(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const std::string expected = "an array of at most " + std::to_string(kMostTexts) + " strings";
  if (!value->is_array() || value->size() > kMostTexts) refuse_value(key, expected, *value);
  std::vector<std::string> texts;
  for (const Json& item : *value) {
    if (!item.is_string()) refuse_value(key, expected, *value);
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

std::optional<std::vector<float>> ConfigReader::numbers(std::string_view key, std::size_t count,
                                                        double least, double most) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const std::string expected = "an array of " + std::to_string(count) + " numbers" +
                               range("", written(least), written(most));
  if (!value->is_array() || value->size() != count) refuse_value(key, expected, *value);
  std::vector<float> numbers;
  for (const Json& item : *value) {
    const double number = item.is_number() ? item.get<double>() : least - 1;
    if (!(number >= least && number <= most)) refuse_value(key, expected, *value);
    numbers.push_back(static_cast<float>(number));
  }
  return numbers;
}

}  // namespace infernode
