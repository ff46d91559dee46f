#include "model/model_source.h"

#include <cstdio>
#include <filesystem>
#include <utility>

#include "core/types.h"
#include "model/gguf_text.h"
#include "model/model_rules.h"

namespace infernode {

namespace {

void check_part_exists(const std::vector<std::string>& paths, std::size_t index) {
  std::error_code ignored;
  if (std::filesystem::status(paths[index], ignored).type() !=
      std::filesystem::file_type::not_found)
    return;
  throw Error(ErrorCode::kModelNotFound,
              quoted_path(paths[index]) + " does not exist, and it is part " +
                  std::to_string(index + 1) + " of " + std::to_string(paths.size()) +
                  " of the model; fetch it, and keep all parts in one folder.");
}

}  // namespace

std::vector<GgufFile> ModelSource::parts() const {
  std::vector<GgufFile> parts;
  parts.push_back(is_file() ? GgufFile::read(path_) : source_->parse());
  const std::vector<std::string> paths = model_part_paths(parts.front(), path_);
  for (std::size_t i = 1; i < paths.size(); ++i) {
    check_part_exists(paths, i);
    parts.push_back(GgufFile::read(paths[i]));
    check_part_number(parts[i], i);
    check_tensor_rules(parts[i]);
  }
  check_model_rules(parts.front());
  return parts;
}

ReadBytes ModelSource::reader() const {
  return [source = source_, failure = failure_](std::uint64_t position, std::span<char> out) {
    try {
      source->read(position, out);
    } catch (...) {
      if (!*failure) *failure = std::current_exception();
      throw;
    }
  };
}

FileHandle ModelSource::open(const GgufFile& part) const {
  if (is_file()) return FileHandle(std::fopen(part.label().c_str(), "rb"));
  return open_scattered(source_->size(), reader(), path_);
}

FileHandle ModelSource::open_stream() const {
  return open_virtual(source_->size(), reader(), path_);
}

void ModelSource::rethrow_failure() const {
  if (*failure_) std::rethrow_exception(*failure_);
}

}  // namespace infernode
