// A file that exists complete or not at all: written without a name where the file system
// can, else under a temporary one that carries the process's number, and given its name at
// the end. Whatever ends the writer before, even SIGKILL where it has no name, leaves nothing
// under the final name. Replaces a file of that name. One use by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace infernode {

class OutputFile {
 public:
  // Reserves `bytes` in the folder of `path`, which exists. Throws Error(kDiskFull), which
  // says how much there is, and Error(kFileNotWritable).
  OutputFile(const std::string& path, std::uint64_t bytes);
  ~OutputFile();  // removes what was not committed
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Throws as the constructor does.
  void write(std::uint64_t position, std::span<const char> bytes);
  // On the disk, then under its name. Throws as the constructor does.
  void commit();

 private:
  void open_named();
  void check_space(std::uint64_t bytes) const;
  [[noreturn]] void refuse(int error) const;

  std::string path_;
  std::string folder_;
  std::string temporary_;  // "" while it has no name
  std::uint64_t bytes_ = 0;
  int descriptor_ = -1;
};

}  // namespace infernode
