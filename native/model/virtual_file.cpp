#include "model/virtual_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "core/types.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

constexpr std::size_t kBufferBytes = std::size_t{4} << 20;
constexpr std::size_t kSmallBufferBytes = std::size_t{64} << 10;

[[noreturn]] void refuse_stream(const std::string& label) {
  throw Error(ErrorCode::kModelLoadFailed,
              quoted_path(label) + " cannot be made: " + std::strerror(errno) + ".");
}

FileHandle temporary_file(const std::string& label) {
  FileHandle file(std::tmpfile());
  if (file == nullptr) refuse_stream(label);
  return file;
}

// The header's bytes at `position`, followed by zeros.
void read_header(const std::string& header, std::uint64_t position, std::span<char> out) {
  const std::size_t begin = std::min<std::uint64_t>(position, header.size());
  const std::size_t count = std::min(out.size(), header.size() - begin);
  std::memcpy(out.data(), header.data() + begin, count);
  std::memset(out.data() + count, 0, out.size() - count);
}

}  // namespace

FileHandle open_written(std::uint64_t size, const ReadBytes& read, const std::string& label) {
  FileHandle written = temporary_file(label);
  std::vector<char> buffer(kBufferBytes);
  for (std::uint64_t at = 0; at < size; at += buffer.size()) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size - at, buffer.size()));
    read(at, std::span(buffer).first(count));
    if (std::fwrite(buffer.data(), 1, count, written.get()) != count) refuse_stream(label);
  }
  if (std::fflush(written.get()) != 0) refuse_stream(label);
  std::rewind(written.get());
  return written;
}

#ifdef __linux__

namespace {

// The cookie of fopencookie(): the file, the position in it, and the stream's buffer.
struct Cookie {
  ReadBytes read;
  std::uint64_t size = 0;
  std::vector<char> buffer;
  std::uint64_t position = 0;
};

ssize_t read_cookie(void* cookie, char* out, std::size_t wanted) {
  auto& [read, size, buffer, position] = *static_cast<Cookie*>(cookie);
  const std::uint64_t left = size - std::min(position, size);
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, left));
  try {  // no exception may pass through the C library
    read(position, {out, count});
  } catch (...) {
    errno = EIO;
    return -1;
  }
  position += count;
  return static_cast<ssize_t>(count);
}

int seek_cookie(void* cookie, off64_t* offset, int whence) {
  auto& [read, size, buffer, position] = *static_cast<Cookie*>(cookie);
  std::int64_t from = 0;
  if (whence == SEEK_CUR) from = static_cast<std::int64_t>(position);
  if (whence == SEEK_END) from = static_cast<std::int64_t>(size);
  if (from + *offset < 0) return -1;
  *offset += from;
  position = static_cast<std::uint64_t>(*offset);
  return 0;
}

int close_cookie(void* cookie) {
  delete static_cast<Cookie*>(cookie);
  return 0;
}

}  // namespace

namespace {

FileHandle open_buffered(std::uint64_t size, ReadBytes read, const std::string& label,
                         std::size_t buffer_bytes) {
  std::unique_ptr<Cookie> cookie(
      new Cookie{std::move(read), size, std::vector<char>(buffer_bytes)});
  FileHandle stream(
      fopencookie(cookie.get(), "rb", {read_cookie, nullptr, seek_cookie, close_cookie}));
  if (stream == nullptr) refuse_stream(label);
  std::vector<char>& buffer = cookie.release()->buffer;  // close_cookie deletes it
  // Without a buffer of the caller's glibc ignores the size and reads 8 KiB at a time, for each of
  // which a checkpoint packs a whole block of rows.
  if (std::setvbuf(stream.get(), buffer.data(), _IOFBF, buffer.size()) != 0) refuse_stream(label);
  return stream;
}

}  // namespace

FileHandle open_virtual(std::uint64_t size, ReadBytes read, const std::string& label) {
  return open_buffered(size, std::move(read), label, kBufferBytes);
}

FileHandle open_scattered(std::uint64_t size, ReadBytes read, const std::string& label) {
  return open_buffered(size, std::move(read), label, kSmallBufferBytes);
}

FileHandle open_header(std::string header, std::uint64_t size, const std::string& label) {
  const auto read = [header = std::move(header)](std::uint64_t position, std::span<char> out) {
    read_header(header, position, out);
  };
  return open_buffered(size, read, label, kSmallBufferBytes);
}

#else

FileHandle open_virtual(std::uint64_t size, ReadBytes read, const std::string& label) {
  return open_written(size, read, label);
}

FileHandle open_scattered(std::uint64_t size, ReadBytes read, const std::string& label) {
  return open_written(size, read, label);
}

// Only the header is written; the rest is a hole.
FileHandle open_header(std::string header, std::uint64_t size, const std::string& label) {
  const auto read = [&header](std::uint64_t position, std::span<char> out) {
    read_header(header, position, out);
  };
  FileHandle file = open_written(header.size(), read, label);
  if (ftruncate(fileno(file.get()), static_cast<off_t>(size)) != 0) refuse_stream(label);
  return file;
}

#endif

}  // namespace infernode
