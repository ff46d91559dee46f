// Where a model's bytes come from: GGUF files on disk, or a GgufSource, read as a stream.
// A failure of the source's reads is kept, since llama.cpp's C code cannot carry it.
// One thread at a time.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "model/gguf_file.h"
#include "model/gguf_source.h"
#include "model/virtual_file.h"

namespace infernode {

class ModelSource {
 public:
  explicit ModelSource(std::string path) : path_(std::move(path)) {}
  explicit ModelSource(std::shared_ptr<const GgufSource> source)
      : path_(source->label()), source_(std::move(source)) {}

  const std::string& path() const { return path_; }
  [[nodiscard]] bool is_file() const { return source_ == nullptr; }

  // The file and, when split, its further parts, all judged.
  std::vector<GgufFile> parts() const;
  // nullptr where a file cannot be opened. Streams are read in large pieces, or in small ones
  // where few bytes are wanted. Throws Error(kModelLoadFailed) where the system gives no stream.
  FileHandle open(const GgufFile& part) const;
  FileHandle open_stream() const;  // of a source
  // Throws what the first failing read of a stream threw.
  void rethrow_failure() const;

 private:
  ReadBytes reader() const;

  std::string path_;
  std::shared_ptr<const GgufSource> source_;  // nullptr: files on disk
  std::shared_ptr<std::exception_ptr> failure_ = std::make_shared<std::exception_ptr>();
};

}  // namespace infernode
