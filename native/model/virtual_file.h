// Files that lie nowhere: their bytes are computed when llama.cpp reads them.
// On Linux through a stream of our own, elsewhere through a temporary file that
// is gone when closed. One thread reads a stream at a time.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace infernode {

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, FileCloser>;

// Fills `out` with the file's bytes from `position` on, all of them inside the file. What it
// throws is a read error of the stream.
using ReadBytes = std::function<void(std::uint64_t position, std::span<char> out)>;

// A file of `size` bytes. `label` stands for its path in Error(kModelLoadFailed),
// thrown where the system gives no stream.
FileHandle open_virtual(std::uint64_t size, ReadBytes read, const std::string& label);

// The same, for readers of a few bytes here and there.
FileHandle open_scattered(std::uint64_t size, ReadBytes read, const std::string& label);

// The same as a temporary file, written whole, on any system; throws what `read` throws.
FileHandle open_written(std::uint64_t size, const ReadBytes& read, const std::string& label);

// A GGUF header with zeros behind it, up to `size` bytes; they take no room anywhere.
FileHandle open_header(std::string header, std::uint64_t size, const std::string& label);

}  // namespace infernode
