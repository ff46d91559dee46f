// Reads fields of a JavaScript object that TypeScript has validated. A field of the wrong type is a
// bug in infernode and throws a TypeError. JavaScript thread only.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
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

inline std::vector<std::string> strings_from(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> strings;
  for (std::uint32_t i = 0; i < array.Length(); ++i) strings.push_back(array.Get(i).ToString());
  return strings;
}

}  // namespace infernode
