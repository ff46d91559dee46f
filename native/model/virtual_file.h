// Files without storage: their bytes are computed when llama.cpp reads them. On Linux through a
// custom stream, elsewhere through a temporary file that is deleted when closed. One thread reads a
// stream at a time.
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

// Fills `out` with the file's bytes from `position` on, all inside the file. An exception becomes a
// read error of the stream.
using ReadBytes = std::function<void(std::uint64_t position, std::span<char> out)>;

// A file of `size` bytes. `label` stands for its path in Error(kModelLoadFailed), thrown if the
// system cannot create a stream.
FileHandle open_virtual(std::uint64_t size, ReadBytes read, const std::string& label);

// The same, for readers that read a few bytes at a time.
FileHandle open_scattered(std::uint64_t size, ReadBytes read, const std::string& label);

// The same as a temporary file, fully written, on any system; rethrows exceptions of `read`.
FileHandle open_written(std::uint64_t size, const ReadBytes& read, const std::string& label);

// A GGUF header followed by zeros, up to `size` bytes; they occupy no storage.
FileHandle open_header(std::string header, std::uint64_t size, const std::string& label);

}  // namespace infernode
