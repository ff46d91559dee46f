// Bytes of safetensors files, good and bad, for tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

// The length, then `header`, then `data`, whatever they say.
inline std::string safetensors_file(std::string_view header, std::string_view data) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  bytes += header;
  bytes += data;
  return bytes;
}

struct PlainTensor {
  std::string name;
  std::string dtype;
  std::string shape;  // "[2,3]"
  std::string data;
};

// A good file: tensors one behind the other, as given.
inline std::string safetensors(const std::vector<PlainTensor>& tensors) {
  std::string header = "{";
  std::string data;
  for (const PlainTensor& tensor : tensors) {
    if (header.size() > 1) header += ",";
    header += "\"" + tensor.name + "\":{\"dtype\":\"" + tensor.dtype +
              "\",\"shape\":" + tensor.shape + ",\"data_offsets\":[" + std::to_string(data.size()) +
              ",";
    data += tensor.data;
    header += std::to_string(data.size()) + "]}";
  }
  return safetensors_file(header + "}", data);
}
