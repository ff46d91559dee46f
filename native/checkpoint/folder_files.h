// Opens files of one folder without leaving it: regular files, and symbolic links only if they stay
// inside the folder or point into a Hugging Face cache's blobs. Refuses directories, devices and
// pipes without opening them. Any thread may read an open file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace infernode {

// An open regular file. Its size and time are those when it was opened; read() fails if they have
// changed. One owner.
class OpenFile {
 public:
  // Takes ownership of `descriptor`. Throws Error(kModelUnreadable) if it is not a regular file.
  OpenFile(int descriptor, std::string path);
  ~OpenFile();
  OpenFile(OpenFile&& other) noexcept;
  OpenFile& operator=(OpenFile&& other) noexcept;

  const std::string& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }
  std::int64_t modified_ns() const { return modified_ns_; }
  // Fills all of `out`. Throws Error(kModelTruncated) or Error(kModelUnreadable); `what` names the
  // part being read.
  void read(std::uint64_t position, std::span<std::byte> out, const std::string& what) const;

 private:
  int descriptor_;
  std::string path_;
  std::uint64_t bytes_ = 0;
  std::int64_t modified_ns_ = 0;
};

// An existing folder. Throws Error(kModelNotFound) and Error(kModelUnreadable).
class FolderFiles {
 public:
  explicit FolderFiles(const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<std::string>& names() const { return names_; }  // of all entries, sorted
  std::string path_of(std::string_view name) const;
  // nullopt if there is no entry of that name. Throws Error.
  [[nodiscard]] std::optional<OpenFile> open(std::string_view name) const;

 private:
  std::string path_;
  std::string real_;  // its path with symbolic links resolved
  std::vector<std::string> names_;
};

}  // namespace infernode
