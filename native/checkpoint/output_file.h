// A file that exists complete or not at all: written without a name if the file system supports it,
// else under a temporary name that contains the process id, and named at the end. If the writer
// ends earlier, even by SIGKILL while the file has no name, nothing remains under the final name.
// Replaces an existing file of that name. Single use, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace infernode {

class OutputFile {
 public:
  // Reserves `bytes` in the folder of `path`, which must exist. Throws Error(kDiskFull), which
  // names the free space, and Error(kFileNotWritable).
  OutputFile(const std::string& path, std::uint64_t bytes);
  ~OutputFile();  // removes the file unless it was committed
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // A path by which the file can be opened while this exists.
  std::string path() const;
  // Takes the temporary name away, if there is one and the system can open the file without: no
  // exit of the process leaves the file behind then. For a file that is only read back, never
  // committed.
  void hide();
  // Throws as the constructor does.
  void write(std::uint64_t position, std::span<const char> bytes);
  // Sets the size. A part that was never written reads as zeros and occupies no storage. Throws as
  // the constructor does.
  void extend(std::uint64_t bytes);
  // Flushes to disk, then gives the file its name. Throws as the constructor does.
  void commit();

 private:
  void open_named();
  void check_space(std::uint64_t bytes) const;
  [[noreturn]] void refuse(int error) const;

  std::string path_;
  std::string folder_;
  std::string temporary_;  // "" if it has no name
  std::uint64_t bytes_ = 0;
  int descriptor_ = -1;
};

}  // namespace infernode
