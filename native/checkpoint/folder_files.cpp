// open(), fstat() and pread(), and the rules for names of checkpoint files; see folder_files.h.
#include "checkpoint/folder_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "checkpoint/refuse.h"

namespace infernode {

namespace {

namespace fs = std::filesystem;

// A name of a folder entry; "." and ".." are not allowed.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

[[noreturn]] void refuse_system(const std::string& path, int error) {
  const std::string hint =
      error == EMFILE || error == ENFILE ? "; raise the limit of open files (ulimit -n)." : ".";
  refuse_file(ErrorCode::kModelUnreadable, path,
              std::string("cannot be read: ") + std::strerror(error) + hint);
}

std::int64_t modified_ns_of(const struct stat& status) {
#ifdef __APPLE__
  const timespec& time = status.st_mtimespec;
#else
  const timespec& time = status.st_mtim;
#endif
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Inside `folder`, or a blob of a Hugging Face cache: …/models--owner--name/blobs/<hash>.
bool may_point_to(const fs::path& target, const fs::path& folder) {
  if (std::ranges::mismatch(folder, target).in1 == folder.end()) return true;
  const fs::path holder = target.parent_path();
  return holder.filename() == "blobs" &&
         holder.parent_path().filename().string().starts_with("models--");
}

[[noreturn]] void refuse_kind(const std::string& path, mode_t mode) {
  const std::string kind = S_ISDIR(mode)    ? "a directory"
                           : S_ISFIFO(mode) ? "a named pipe"
                           : S_ISSOCK(mode) ? "a socket"
                                            : "a device";
  refuse_file(ErrorCode::kModelUnreadable, path, "is " + kind + ", expected a regular file.");
}

}  // namespace

OpenFile::OpenFile(int descriptor, std::string path)
    : descriptor_(descriptor), path_(std::move(path)) {
  struct stat status {};
  const int failure = fstat(descriptor_, &status) == 0 ? 0 : errno;
  if (failure == 0 && S_ISREG(status.st_mode)) {
    bytes_ = static_cast<std::uint64_t>(status.st_size);
    modified_ns_ = modified_ns_of(status);
    return;
  }
  close(descriptor_);  // a constructor that throws runs no destructor
  if (failure != 0) refuse_system(path_, failure);
  refuse_kind(path_, status.st_mode);
}

OpenFile::~OpenFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

OpenFile::OpenFile(OpenFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      bytes_(other.bytes_),
      modified_ns_(other.modified_ns_) {}

OpenFile& OpenFile::operator=(OpenFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  path_ = std::move(other.path_);
  bytes_ = other.bytes_;
  modified_ns_ = other.modified_ns_;
  return *this;
}

void OpenFile::read(std::uint64_t position, std::span<std::byte> out,
                    const std::string& what) const {
  while (!out.empty()) {
    const ssize_t got = pread(descriptor_, out.data(), out.size(), static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse_system(path_, errno);
    if (got == 0) {
      refuse_file(ErrorCode::kModelTruncated, path_,
                  "has become shorter while " + what +
                      " was read; wait until nothing writes it, and load again.");
    }
    position += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
  struct stat now {};
  if (fstat(descriptor_, &now) != 0) refuse_system(path_, errno);
  if (static_cast<std::uint64_t>(now.st_size) != bytes_ || modified_ns_of(now) != modified_ns_) {
    refuse_file(
        ErrorCode::kModelUnreadable, path_,
        "was changed while " + what + " was read; wait until nothing writes it, and load again.");
  }
}

FolderFiles::FolderFiles(const std::string& path) : path_(path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    refuse_file(ErrorCode::kModelNotFound, path,
                "does not exist; check the path, relative ones start at the working directory.");
  }
  if (error)
    refuse_file(ErrorCode::kModelUnreadable, path, "cannot be read: " + error.message() + ".");
  if (status.type() != fs::file_type::directory) {
    refuse_file(ErrorCode::kModelUnreadable, path,
                "is not a directory, expected a Hugging Face model directory.");
  }
  real_ = fs::canonical(path, error).string();
  for (auto entry = fs::directory_iterator(path, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    names_.push_back(entry->path().filename().string());
  }
  if (error)
    refuse_file(ErrorCode::kModelUnreadable, path, "cannot be read: " + error.message() + ".");
  std::ranges::sort(names_);
}

std::string FolderFiles::path_of(std::string_view name) const {
  return (fs::path(path_) / name).string();
}

std::optional<OpenFile> FolderFiles::open(std::string_view name) const {
  INFERNODE_CHECK(is_plain_name(name), "a file name of a checkpoint is a path");
  const std::string path = path_of(name);
  struct stat link {};
  if (lstat(path.c_str(), &link) != 0) {
    if (errno == ENOENT) return std::nullopt;
    refuse_system(path, errno);
  }
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) {
    refuse_file(ErrorCode::kModelUnreadable, path,
                "is a symbolic link that leads nowhere (" + error.message() +
                    "); download the file again.");
  }
  if (!may_point_to(real, real_)) {
    refuse_file(ErrorCode::kModelUnreadable, path,
                "is a symbolic link that leaves the folder; copy the file into the folder.");
  }
  // Checked before opening: opening a device or a pipe may have side effects.
  struct stat status {};
  if (stat(real.c_str(), &status) != 0) refuse_system(path, errno);
  if (!S_ISREG(status.st_mode)) refuse_kind(path, status.st_mode);
  const int descriptor = ::open(real.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (descriptor < 0) refuse_system(path, errno);
  return OpenFile(descriptor, path);
}

}  // namespace infernode
