// Writing a GgufSource to disk: whole or not at all, with values of its own.
#include "checkpoint/checkpoint_writer.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "check.h"
#include "core/types.h"
#include "model/gguf_writer.h"
#include "temporary_file.h"

using namespace infernode;

namespace {

const std::atomic<bool> kNotCancelled{false};

// Two tensors whose bytes tell their place, and a failure where one is wanted.
class CountingSource : public GgufSource {
 public:
  explicit CountingSource(std::uint64_t rows, std::uint64_t fails_after = UINT64_MAX)
      : fails_after_(fails_after) {
    GgufWriter writer;
    writer.text("general.architecture", "llama");
    writer.integers("numbers", std::vector<std::int32_t>(100, 7));
    const std::vector<std::uint64_t> narrow = {7}, wide = {1024, rows};
    writer.tensor("narrow", narrow, 0, 28);
    writer.tensor("wide", wide, 0, 4096 * rows);
    header_ = writer.header();
    size_ = header_.size() + writer.data_bytes();
  }

  const std::string& label() const override { return label_; }
  std::uint64_t size() const override { return size_; }
  GgufFile parse() const override { return GgufFile::parse(header_, size_, label_); }
  void read(std::uint64_t position, std::span<char> out) const override {
    INFERNODE_CHECK(position >= header_.size() && position + out.size() <= size_, "outside");
    largest_ = std::max(largest_, out.size());
    const std::uint64_t begin = position - header_.size();
    if (begin + out.size() > fails_after_) throw Error(ErrorCode::kModelTruncated, "it shrank");
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = byte_at(begin + i);
  }
  static char byte_at(std::uint64_t place) { return static_cast<char>(place * 2654435761U >> 13); }
  std::size_t largest() const { return largest_; }

 private:
  std::string label_ = "counting";
  std::string header_;
  std::uint64_t size_ = 0;
  std::uint64_t fails_after_;
  mutable std::size_t largest_ = 0;
};

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t entries(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

template <typename Work>
std::string refusal(ErrorCode expected, const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    CHECK_EQ(error_name(error.code()), error_name(expected));
    return error.what();
  }
  check::fail(__FILE__, __LINE__, "nothing was thrown");
  return "";
}

}  // namespace

TEST("a written file has the source's values and bytes, and values of its own") {
  const TemporaryFolder folder;
  const CountingSource source(20'000);  // 82 MB: several blocks
  const std::string path = folder.path() + "/model.gguf";
  float last = 0;
  int reports = 0;
  const std::uint64_t bytes = write_checkpoint(
      source, {path, {{"infernode.checkpoint.key", "abc"}}},
      [&](float fraction) { CHECK(fraction >= last), last = fraction, ++reports; }, kNotCancelled);
  CHECK_EQ(bytes, std::filesystem::file_size(path));
  CHECK(reports > 2 && last == 1.0f);
  CHECK(source.largest() <= 32u << 20);
  const GgufFile file = GgufFile::read(path);
  CHECK_EQ(file.string("infernode.checkpoint.key"), "abc");
  CHECK_EQ(file.string("general.architecture"), "llama");
  const auto& numbers = std::get<GgufArray>(file.find("numbers")->value);
  CHECK(file.integers(numbers) == std::vector<std::int64_t>(100, 7));
  const std::string all = content(path);
  for (const GgufTensor& tensor : file.tensors())
    for (std::uint64_t i = 0; i < tensor.bytes; i += 97)
      if (all[file.header_bytes() + tensor.offset + i] !=
          CountingSource::byte_at(tensor.offset + i)) {
        check::fail(__FILE__, __LINE__, "a byte differs");
        return;
      }
  CHECK_EQ(entries(folder.path()), 1u);
}

TEST("an existing file is replaced, even while it is being read") {
  const TemporaryFolder folder;
  const std::string path = folder.write("model.gguf", "old");
  std::ifstream reader(path);
  write_checkpoint(CountingSource(10), {path, {}}, {}, kNotCancelled);
  CHECK_EQ(content(path).substr(0, 4), "GGUF");
  std::string old;
  reader >> old;
  CHECK_EQ(old, "old");
}

TEST("nothing stays where the source fails, or the work is cancelled") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/model.gguf";
  CHECK_EQ(
      refusal(ErrorCode::kModelTruncated,
              [&] {
                write_checkpoint(CountingSource(20'000, 50'000'000), {path, {}}, {}, kNotCancelled);
              }),
      "it shrank");
  std::atomic<bool> cancelled{false};
  refusal(ErrorCode::kCancelled, [&] {
    write_checkpoint(
        CountingSource(20'000), {path, {}}, [&](float) { cancelled = true; }, cancelled);
  });
  CHECK_EQ(entries(folder.path()), 0u);
}

TEST("a killed writer leaves nothing under the final name") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/model.gguf";
  for (const int signal : {SIGTERM, SIGKILL}) {
    const pid_t child = fork();
    if (child == 0) {
      write_checkpoint(
          CountingSource(20'000), {path, {}}, [&](float) { raise(signal); }, kNotCancelled);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    CHECK(!std::filesystem::exists(path));
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      CHECK(entry.path().filename().string().starts_with(".model.gguf."));
  }
}

TEST("too little space is refused with both sizes before anything is computed") {
  const TemporaryFolder folder;
  const CountingSource source(std::uint64_t{1} << 44);  // 2^56 bytes
  const std::string said = refusal(ErrorCode::kDiskFull, [&] {
    write_checkpoint(source, {folder.path() + "/model.gguf", {}}, {}, kNotCancelled);
  });
  CHECK(said.find("model.gguf' needs 72057594.04 GB, the disk has ") != std::string::npos);
  CHECK_EQ(source.largest(), 0u);
  CHECK_EQ(entries(folder.path()), 0u);
}

TEST("a file over the limit of the process is no crash") {
  const TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 20, 1 << 20};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_checkpoint(CountingSource(20'000), {folder.path() + "/model.gguf", {}}, {},
                       kNotCancelled);
    } catch (const Error& error) {
      _exit(error.code() == ErrorCode::kFileNotWritable ? 42 : 1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
  CHECK_EQ(entries(folder.path()), 0u);
}

TEST("a folder that is missing or may not be written is named") {
  const TemporaryFolder folder;
  const auto write_to = [](const std::string& path) {
    return refusal(ErrorCode::kFileNotWritable, [&] {
      write_checkpoint(CountingSource(10), {path, {}}, {}, kNotCancelled);
    });
  };
  CHECK(write_to(folder.path() + "/none/model.gguf").ends_with("its folder does not exist."));
  CHECK(write_to(folder.write("file", "") + "/model.gguf").ends_with("its folder does not exist."));
  CHECK(write_to("/proc/model.gguf").find("'/proc/model.gguf' cannot be written") == 0);
  std::filesystem::create_directory(folder.path() + "/model.gguf");
  write_to(folder.path() + "/model.gguf");
}

TEST("writers of one file at once leave one whole file") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/model.gguf";
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      write_checkpoint(CountingSource(3'000), {path, {}}, {}, kNotCancelled);
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 1;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
  }
  CHECK_EQ(entries(folder.path()), 1u);
  CHECK_EQ(std::filesystem::file_size(path), CountingSource(3'000).size());
  GgufFile::read(path);
}
