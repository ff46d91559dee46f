// Where a model's bytes come from: GGUF files on disk, or a GgufSource read as a stream. An
// error of the source's reads is stored, since it cannot pass through llama.cpp's C code. One
// thread at a time.
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

  // The file, and the further parts of a split model, all validated.
  std::vector<GgufFile> parts() const;
  // nullptr if a file cannot be opened. Streams are read in large pieces, or in small ones if only
  // few bytes are needed. Throws Error(kModelLoadFailed) if the system cannot create a stream.
  FileHandle open(const GgufFile& part) const;
  FileHandle open_stream() const;  // only for a source
  // Rethrows the error of the first failed read of a stream.
  void rethrow_failure() const;

 private:
  ReadBytes reader() const;

  std::string path_;
  std::shared_ptr<const GgufSource> source_;  // nullptr: files on disk
  std::shared_ptr<std::exception_ptr> failure_ = std::make_shared<std::exception_ptr>();
};

}  // namespace infernode
