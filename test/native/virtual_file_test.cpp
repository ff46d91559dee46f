// Files without storage: what a reader sees, and how often their bytes are computed.
#include "model/virtual_file.h"

#include <cstdint>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <vector>

#include "check.h"

namespace infernode {
namespace {

constexpr std::uint64_t kMebi = std::uint64_t{1} << 20;

// Bytes that tell their position.
char byte_at(std::uint64_t position) { return static_cast<char>((position * 2654435761u) >> 13); }

struct Calls {
  std::vector<std::size_t> sizes;
  ReadBytes reader() {
    return [this](std::uint64_t position, std::span<char> out) {
      sizes.push_back(out.size());
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = byte_at(position + i);
    };
  }
};

bool is_right(const std::vector<char>& bytes, std::uint64_t position) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != byte_at(position + i)) return false;
  }
  return true;
}

TEST("a virtual file computes a large tensor in a few large pieces, not once for every page") {
  Calls calls;
  const FileHandle file = open_virtual(64 * kMebi, calls.reader(), "model");
  for (const std::uint64_t position : {std::uint64_t{0}, 17 * kMebi + 5, 3 * kMebi + 1}) {
    calls.sizes.clear();
    std::vector<char> tensor(10 * kMebi);
    CHECK_EQ(std::fseek(file.get(), static_cast<long>(position), SEEK_SET), 0);
    CHECK_EQ(std::fread(tensor.data(), tensor.size(), 1, file.get()), 1u);
    CHECK(is_right(tensor, position));
    CHECK(calls.sizes.size() <= 4);
  }
}

TEST("a scattered file computes little for a few bytes") {
  Calls calls;
  const FileHandle file = open_scattered(64 * kMebi, calls.reader(), "model");
  std::vector<char> few(8);
  CHECK_EQ(std::fseek(file.get(), 40 * static_cast<long>(kMebi), SEEK_SET), 0);
  CHECK_EQ(std::fread(few.data(), few.size(), 1, file.get()), 1u);
  CHECK(is_right(few, 40 * kMebi));
  std::size_t computed = 0;
  for (const std::size_t size : calls.sizes) computed += size;
  CHECK(computed <= 64 * 1024);
}

TEST("a virtual file ends where its size says, and a failed read is an error of the stream") {
  Calls calls;
  const FileHandle file = open_virtual(3, calls.reader(), "model");
  std::vector<char> all(8);
  CHECK_EQ(std::fread(all.data(), 1, all.size(), file.get()), 3u);
  CHECK(std::feof(file.get()) != 0);
  const FileHandle failing = open_virtual(
      8, [](std::uint64_t, std::span<char>) { throw std::runtime_error("no"); }, "model");
  CHECK_EQ(std::fread(all.data(), 1, all.size(), failing.get()), 0u);
  CHECK(std::ferror(failing.get()) != 0);
}

}  // namespace
}  // namespace infernode
