// O_TMPFILE, fallocate(), fsync(), rename(); see output_file.h.
#include "checkpoint/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "checkpoint/refuse.h"
#include "core/failures.h"

namespace infernode {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostStemBytes = 200;  // file names have at most 255 bytes
constexpr mode_t kMode = 0666;               // minus the umask

std::string gigabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

// In the same folder as the file: rename() cannot cross file systems.
std::string temporary_name(const fs::path& path) {
  const std::string stem = path.filename().string().substr(0, kMostStemBytes);
  const std::string name = "." + stem + "." + std::to_string(getpid()) + "-XXXXXX.tmp";
  return (path.parent_path() / name).string();
}
constexpr int kSuffix = 4;  // ".tmp"

// A path that opens a file without a name, or with one that is gone.
std::string path_of(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

[[nodiscard]] bool has_path(int descriptor) {
  return access(path_of(descriptor).c_str(), R_OK | W_OK) == 0;
}

int without_name(const std::string& folder) {
#ifdef O_TMPFILE
  const int descriptor = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kMode);
  if (descriptor < 0 || has_path(descriptor)) return descriptor;
  close(descriptor);  // it could neither be opened again nor get its name
#endif
  errno = EOPNOTSUPP;
  return -1;
}

void sync_folder(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  if (descriptor < 0) return;  // not permitted; the file itself is on the disk
  fsync(descriptor);
  close(descriptor);
}

}  // namespace

OutputFile::OutputFile(const std::string& path, std::uint64_t bytes)
    : path_(fs::absolute(path).string()),
      folder_(fs::path(path_).parent_path().string()),
      bytes_(bytes) {
  check_space(bytes);
  descriptor_ = without_name(folder_);
  if (descriptor_ < 0) open_named();
  int reserved = 0;
  do {
#ifdef __linux__
    reserved = fallocate(descriptor_, 0, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
#endif
  } while (reserved == EINTR);
  // Reserved, or the file system reserves nothing.
  if (reserved != ENOSPC && reserved != EDQUOT && reserved != EFBIG) return;
  if (!temporary_.empty()) unlink(temporary_.c_str());
  close(descriptor_);  // a constructor that throws runs no destructor
  refuse(reserved);
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
  if (descriptor_ >= 0) close(descriptor_);
}

void OutputFile::check_space(std::uint64_t bytes) const {
  struct statvfs system {};
  if (statvfs(folder_.c_str(), &system) != 0) refuse(errno);
  const std::uint64_t available = std::uint64_t{system.f_bavail} * system.f_frsize;
  if (available >= bytes || system.f_blocks == 0) return;  // or not a disk, such as /proc
  refuse_file(ErrorCode::kDiskFull, path_,
              "needs " + gigabytes(bytes) + ", the disk has " + gigabytes(available) +
                  " free; free some, or name a folder on another disk.");
}

// For file systems without support for unnamed files, such as NFS.
void OutputFile::open_named() {
  std::string name = temporary_name(path_);
  descriptor_ = mkostemps(name.data(), kSuffix, O_CLOEXEC);
  if (descriptor_ < 0) refuse(errno);
  temporary_ = std::move(name);
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor_, kMode & ~mask);
}

void OutputFile::write(std::uint64_t position, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse(errno);
    position += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

std::string OutputFile::path() const {
  return temporary_.empty() ? path_of(descriptor_) : temporary_;
}

void OutputFile::hide() {
  if (temporary_.empty() || !has_path(descriptor_)) return;
  if (unlink(temporary_.c_str()) == 0) temporary_.clear();
}

void OutputFile::extend(std::uint64_t bytes) {
  if (ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) refuse(errno);
}

void OutputFile::commit() {
  if (fsync(descriptor_) != 0) refuse(errno);
  if (temporary_.empty()) {
    // linkat() cannot replace a file, so the file gets a temporary name first.
    std::string name = temporary_name(path_);
    const int reserved = mkostemps(name.data(), kSuffix, O_CLOEXEC);
    if (reserved < 0) refuse(errno);
    close(reserved);
    unlink(name.c_str());
    if (linkat(AT_FDCWD, path_of(descriptor_).c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) !=
        0)
      refuse(errno);
    temporary_ = std::move(name);
  }
  if (rename(temporary_.c_str(), path_.c_str()) != 0) refuse(errno);
  temporary_.clear();
  sync_folder(folder_);
}

void OutputFile::refuse(int error) const {
  const ErrorCode code = write_failure(error);
  if (code == ErrorCode::kDiskFull) {
    refuse_file(code, path_,
                "needs " + gigabytes(bytes_) +
                    ", and the disk or the quota is full; free some, or name another folder.");
  }
  const std::string hint = error == ENOENT || error == ENOTDIR
                               ? "its folder does not exist."
                               : std::string(std::strerror(error)) + "; name another folder.";
  refuse_file(code, path_, "cannot be written: " + hint);
}

}  // namespace infernode
