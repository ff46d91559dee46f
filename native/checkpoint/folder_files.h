// Files of one folder, opened so that nothing outside it is read: regular files, symbolic
// links only inside the folder or into a Hugging Face cache's blobs. Refuses
// directories, devices and pipes without opening them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace infernode {

// An open regular file. Its size and time are those when it was opened; read() fails where
// they are others. Owned by one, read by any thread.
class OpenFile {
 public:
  // Owns `descriptor`. Throws Error(kModelUnreadable) where it is of no regular file.
  OpenFile(int descriptor, std::string path);
  ~OpenFile();
  OpenFile(OpenFile&& other) noexcept;
  OpenFile& operator=(OpenFile&& other) noexcept;

  const std::string& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }
  std::int64_t modified_ns() const { return modified_ns_; }
  // All of `out`. Throws Error(kModelTruncated) or Error(kModelUnreadable); `what` names the
  // part that is read.
  void read(std::uint64_t position, std::span<std::byte> out, const std::string& what) const;

 private:
  int descriptor_;
  std::string path_;
  std::uint64_t bytes_ = 0;
  std::int64_t modified_ns_ = 0;
};

// A folder that exists. Throws Error(kModelNotFound) and Error(kModelUnreadable).
class FolderFiles {
 public:
  explicit FolderFiles(const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<std::string>& names() const { return names_; }  // sorted, of all entries
  std::string path_of(std::string_view name) const;
  // nullopt where nothing has that name. Throws Error.
  [[nodiscard]] std::optional<OpenFile> open(std::string_view name) const;

 private:
  std::string path_;
  std::string real_;  // without symbolic links
  std::vector<std::string> names_;
};

}  // namespace infernode
