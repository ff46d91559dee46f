// Reads fields of a JavaScript object that TypeScript has validated. A field of the wrong type or
// with an unknown value is a bug in infernode and throws a TypeError. JavaScript thread only.
#pragma once

#include <napi.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace infernode {

inline std::int32_t int_field(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().Int32Value();
}

inline float float_field(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Number>().FloatValue();
}

[[nodiscard]] inline bool bool_field(const Napi::Object& object, const char* name) {
  return object.Get(name).As<Napi::Boolean>().Value();
}

[[noreturn]] inline void refuse_value(const Napi::Object& object, const char* name) {
  const Napi::Env env = object.Env();
  const std::string value = object.Get(name).ToString();
  Napi::TypeError error = Napi::TypeError::New(
      env, std::string(name) + ": the addon does not know the value \"" + value +
               "\", which the package's JavaScript should have refused; please report it");
  error.Set("code", "INVALID_OPTION");
  throw error;
}

// The index of the field's value among the names that it may have.
template <std::size_t count>
std::size_t name_field(const Napi::Object& object, const char* name,
                       const std::array<std::string_view, count>& names) {
  const std::string value = object.Get(name).ToString();
  for (std::size_t i = 0; i < count; ++i) {
    if (names[i] == value) return i;
  }
  refuse_value(object, name);
}

inline std::vector<std::string> strings_from(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  for (std::uint32_t i = 0; i < array.Length(); ++i) strings.push_back(array.Get(i).ToString());
  return strings;
}

}  // namespace infernode
