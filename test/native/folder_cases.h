// Folders made of files, opened, and what is said of them: a table's rows. For tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "checkpoint/checkpoint_folder.h"
#include "checkpoint_bytes.h"
#include "core/types.h"
#include "temporary_file.h"

namespace folder_cases {

using namespace infernode;

// A good file of two tensors, 20 bytes of data.
inline const std::string kGood =
    safetensors({{"b", "F32", "[2,2]", std::string(16, 'b')}, {"a", "BF16", "[2]", "abcd"}});

// A header with one tensor "t" of these fields, and 8 bytes of data.
inline std::string one(const std::string& fields) {
  return safetensors_file("{\"t\":{" + fields + "}}", "12345678");
}

struct Files {
  std::string name;
  std::string bytes;
};

inline std::string index_of(const std::string& map) {
  return "{\"metadata\":{\"total_size\":1},\"weight_map\":{" + map + "}}";
}

// The code and the message of opening a folder; "loaded" where it opens.
inline std::pair<std::string, std::string> opened(const std::string& path) {
  try {
    CheckpointFolder::open(path);
    return {"loaded", ""};
  } catch (const Error& error) {
    return {std::string(error_name(error.code())), error.what()};
  }
}

inline void refuses(const char* what, const std::string& folder, const std::string& code,
                    const std::string& part) {
  const auto [got, message] = opened(folder);
  if (got == code && message.find(part) != std::string::npos &&
      (code == "loaded" || message.find(folder) != std::string::npos))
    return;
  check::fail(what, 0, got + ": " + message + ", expected " + code + ": " + part);
}

struct Case {
  const char* what;
  std::vector<Files> files;
  const char* code;
  const char* part;  // of the message, which also names the folder
};

inline void run(const std::vector<Case>& cases) {
  for (const Case& row : cases) {
    const TemporaryFolder folder;
    for (const Files& file : row.files) folder.write(file.name, file.bytes);
    refuses(row.what, folder.path(), row.code, row.part);
  }
}

inline std::vector<Files> single(const std::string& bytes) {
  return {{"model.safetensors", bytes}};
}

inline std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace folder_cases
