// Parses JSON as a stream of events, for readers that keep only part of it: parse_json(), the
// safetensors header and the shard index. Refuses what none of them accepts: invalid JSON, invalid
// UTF-8, nesting over kMostJsonDepth, binary values. For .cpp files only: nlohmann/json.hpp is slow
// to compile. Single use, one thread.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "checkpoint/json_text.h"

namespace infernode {

// Derived classes handle values; each handler returns whether to continue. To reject a value, it
// returns refuse("tensor 'a' has no dtype").
class JsonEvents : public nlohmann::json_sax<Json> {
 public:
  [[nodiscard]] bool null() override { return value(nullptr); }
  [[nodiscard]] bool boolean(bool flag) override { return value(flag); }
  [[nodiscard]] bool number_integer(number_integer_t number) override { return value(number); }
  [[nodiscard]] bool number_unsigned(number_unsigned_t number) override { return value(number); }
  [[nodiscard]] bool number_float(number_float_t number, const string_t&) override {
    return value(number);
  }
  [[nodiscard]] bool string(string_t& text) override { return value(std::move(text)); }
  [[nodiscard]] bool binary(binary_t&) override { return refuse("binary data"); }
  [[nodiscard]] bool start_object(std::size_t) final { return deeper() && begin_object(); }
  [[nodiscard]] bool start_array(std::size_t) final { return deeper() && begin_array(); }
  [[nodiscard]] bool end_object() final { return depth_--, finish_object(); }
  [[nodiscard]] bool end_array() final { return depth_--, finish_array(); }
  [[nodiscard]] bool parse_error(std::size_t, const std::string& token,
                                 const nlohmann::detail::exception& error) override;

  const std::string& reason() const { return reason_; }

 protected:
  // A scalar value; a string may be moved from.
  [[nodiscard]] virtual bool value(Json&& scalar) = 0;
  [[nodiscard]] virtual bool begin_object() = 0;
  [[nodiscard]] virtual bool finish_object() = 0;
  [[nodiscard]] virtual bool begin_array() = 0;
  [[nodiscard]] virtual bool finish_array() = 0;

  [[nodiscard]] bool refuse(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }
  // Number of open objects and arrays, including the innermost.
  std::size_t depth() const { return depth_; }

 private:
  [[nodiscard]] bool deeper();

  std::size_t depth_ = 0;
  std::string reason_;
};

// Runs `events` over `text`. Throws Error(kModelCorrupt) "<label>: <reason> at byte <n>".
void read_json(std::string_view text, JsonEvents& events, const std::string& label);

}  // namespace infernode
