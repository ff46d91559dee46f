// llama.cpp's quantizer behind our door: files that load and are what was asked for, sizes
// foretold, and no file left behind by any exit.
#include "model/llama_quantize.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <vector>

#include "check.h"
#include "checkpoint/checkpoint_file.h"
#include "core/types.h"
#include "gguf_bytes.h"
#include "model/gguf_file.h"
#include "model/gguf_values.h"
#include "model/llama_quantize_types.h"
#include "model/llama_runtime.h"
#include "model/synthetic_file.h"

using namespace infernode;

namespace fs = std::filesystem;

namespace {

class Source final : public GgufSource {
 public:
  explicit Source(std::uint32_t dim, const std::string& type = "f16") : file_(shape(dim, type)) {}
  const std::string& label() const override { return file_.label(); }
  std::uint64_t size() const override { return file_.size(); }
  GgufFile parse() const override { return file_.parse(); }
  void read(std::uint64_t position, std::span<char> out) const override {
    file_.read(position, out);
  }

 private:
  static SyntheticShape shape(std::uint32_t dim, const std::string& type);
  SyntheticFile file_;
};

// A folder that is empty again where everything was cleaned up.
struct Folder {
  fs::path path = fs::temp_directory_path() /
                  ("quantize-test-" + std::to_string(::getpid()) + "-" + std::to_string(made()));
  static int made() {
    static int count = 0;
    return count++;
  }
  Folder() { fs::create_directory(path); }
  ~Folder() { fs::remove_all(path); }
  std::string file() const { return (path / "out.gguf").string(); }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path)) names.push_back(entry.path().filename());
    return names;
  }
};

SyntheticShape Source::shape(std::uint32_t dim, const std::string& type) {
  SyntheticShape shape;
  shape.reference = "synthetic";
  shape.tokenizer = "assets/tinytale-q8_0.gguf";
  shape.type = type;
  shape.layers = 3;
  shape.width = static_cast<std::int32_t>(dim);
  shape.feed_forward = static_cast<std::int32_t>(2 * dim);
  return shape;
}

std::string code_of(const std::function<void()>& call, std::string* message = nullptr) {
  try {
    call();
  } catch (const Error& error) {
    if (message != nullptr) *message = error.what();
    return std::string(error_name(error.code()));
  }
  return "none";
}

std::map<std::string, int> types_of(const std::string& path) {
  std::map<std::string, int> types;
  const GgufFile file = GgufFile::read(path);
  for (const GgufTensor& tensor : file.tensors()) ++types[std::string(tensor.type_name)];
  return types;
}

const std::atomic<bool> kNever{false};

}  // namespace

TEST("a quantized file has the requested types and about the estimated size, and is alone") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const Folder folder;
  const Source source(512);
  std::vector<float> progress;
  const QuantizeRequest request = {.type = "Q4_K_M",
                                   .out = folder.file(),
                                   .progress = [&](float part) { progress.push_back(part); }};
  const QuantizePlan plan = quantize_to_file(source, request, kNever);
  const auto types = types_of(folder.file());
  CHECK(types.at("q4_K") > 8);
  CHECK(types.at("q6_K") > 0);
  CHECK(plan.notes.empty());
  CHECK_NEAR(static_cast<double>(plan.bytes), static_cast<double>(fs::file_size(folder.file())),
             32768.0);
  CHECK(std::ranges::is_sorted(progress));
  CHECK_EQ(progress.back(), 1.0f);
  CHECK(folder.names() == std::vector<std::string>{"out.gguf"});
}

TEST("a plain checkpoint is quantized on the way in") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const Folder folder;
  for (const char* name : {"llama-f16", "qwen3-bf16", "phi3-f16"}) {
    CheckpointOptions options;
    options.path = std::string("test/fixtures/checkpoints/") + name;
    const auto source = CheckpointFile::open(options);
    quantize_to_file(*source, {.type = "q8_0", .out = folder.file()}, kNever);
    const GgufFile plain = source->parse();
    const GgufFile quantized = GgufFile::read(folder.file());
    CHECK_EQ(quantized.tensors().size(), plain.tensors().size());
    CHECK_EQ(quantized.string("general.architecture"), plain.string("general.architecture"));
    CHECK(types_of(folder.file()).at("q8_0") > 0);
  }
}

TEST("values that a cache adds to the header stay in the quantized file") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const Folder folder;
  const Source source(256);
  const ValuedSource valued(source, {{"infernode.key", "abc"}, {"infernode.other", ""}});
  CHECK_EQ(valued.parse().string("infernode.key"), "abc");
  CHECK_EQ(valued.parse().tensors().size(), source.parse().tensors().size());
  quantize_to_file(valued, {.type = "q8_0", .out = folder.file()}, kNever);
  const Folder other;
  fs::create_directory(other.path / "x");
  quantize_to_file(source, {.type = "q8_0", .out = (other.path / "x" / "y").string()}, kNever);
  const GgufFile ours = GgufFile::read(folder.file());
  const GgufFile plain = GgufFile::read((other.path / "x" / "y").string());
  CHECK_EQ(ours.string("infernode.key"), "abc");
  const auto data_of = [](const GgufFile& file, const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(file.header_bytes()));
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  CHECK(data_of(ours, folder.file()) == data_of(plain, (other.path / "x" / "y").string()));
}

TEST("tensors whose width does not fit fall back as in llama.cpp, and the report says so") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const Folder folder;
  const QuantizePlan plan =
      quantize_to_file(Source(192), {.type = "q4_k_m", .out = folder.file()}, kNever);
  CHECK(types_of(folder.file()).at("q5_0") > 0);
  CHECK(!plan.notes.empty());
  bool told = false;
  for (const std::string& note : plan.notes)
    told =
        told || (note.find("q4_k") != std::string::npos && note.find("q5_0") != std::string::npos);
  CHECK(told);
}

TEST("every type that is listed can be made of plain weights") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const Source source(256);
  for (const std::string& type : quantize_types()) {
    const Folder folder;
    CHECK_EQ(code_of([&] {
               quantize_to_file(source, {.type = type, .out = folder.file(), .threads = 1}, kNever);
             }),
             "none");
    CHECK(fs::exists(folder.file()));
  }
}

TEST("an unknown type is refused with the list") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  std::string message;
  CHECK_EQ(code_of([] { plan_quantization(Source(256), "q4_k_x"); }, &message), "INVALID_OPTION");
  for (const std::string& type : quantize_types()) CHECK(message.find(type) != std::string::npos);
  CHECK(plan_quantization(Source(256), "Q4_K_M").bytes > 0);
}

TEST("weights that are quantized already are refused") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  std::string message;
  CHECK_EQ(code_of([] { plan_quantization(Source(256, "q8_0"), "q4_k_m"); }, &message),
           "INVALID_OPTION");
  CHECK(message.find("q8_0") != std::string::npos);
}

TEST("cancelled at any point it leaves no file, and an older result as it was") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const Source source(512);
  for (const float when : {0.0f, 0.2f, 0.31f, 0.5f, 0.9f}) {
    const Folder folder;
    std::ofstream(folder.file()) << "older";
    std::atomic<bool> cancelled{false};
    const QuantizeRequest request = {
        .type = "q8_0", .out = folder.file(), .threads = 2, .progress = [&](float part) {
          if (part >= when) cancelled = true;
        }};
    CHECK_EQ(code_of([&] { quantize_to_file(source, request, cancelled); }), "CANCELLED");
    CHECK(folder.names() == std::vector<std::string>{"out.gguf"});
    CHECK_EQ(fs::file_size(folder.file()), 5u);
  }
}

TEST("a failure whose reason says cancelled is not taken for a cancellation") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  // Of an architecture that llama.cpp does not know, and names in its error.
  class Foreign final : public GgufSource {
   public:
    explicit Foreign(std::string path) : path_(std::move(path)) {
      bytes_ = tiny_llama().string("general.architecture", "cancelled").file();
      std::ofstream(path_, std::ios::binary) << bytes_;
    }
    const std::string& label() const override { return path_; }
    std::uint64_t size() const override { return bytes_.size(); }
    GgufFile parse() const override { return GgufFile::read(path_); }
    void read(std::uint64_t position, std::span<char> out) const override {
      std::ranges::copy(std::string_view(bytes_).substr(position, out.size()), out.begin());
    }

   private:
    std::string path_;
    std::string bytes_;
  };
  const Folder folder;
  const Foreign source((folder.path / "cancelled.gguf").string());
  std::string message;
  CHECK_EQ(
      code_of([&] { quantize_to_file(source, {.type = "q8_0", .out = folder.file()}, kNever); },
              &message),
      "MODEL_LOAD_FAILED");
  CHECK(message.find("'cancelled'") != std::string::npos);
}

TEST("a folder that is not there and weights that cannot be read are refused, with no file left") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const Folder folder;
  CHECK_EQ(code_of([&] {
             quantize_to_file(Source(256), {.type = "q8_0", .out = folder.file() + "/x/y"}, kNever);
           }),
           "FILE_NOT_WRITABLE");
  class Broken final : public GgufSource {
   public:
    const std::string& label() const override { return source_.label(); }
    std::uint64_t size() const override { return source_.size(); }
    GgufFile parse() const override { return source_.parse(); }
    void read(std::uint64_t position, std::span<char> out) const override {
      if (position > 0) throw Error(ErrorCode::kModelTruncated, "the file has become shorter");
      source_.read(position, out);
    }

   private:
    Source source_{512};
  };
  CHECK_EQ(
      code_of([&] { quantize_to_file(Broken(), {.type = "q8_0", .out = folder.file()}, kNever); }),
      "MODEL_TRUNCATED");
  CHECK(folder.names().empty());
}

TEST("while it works no file has a name yet, so a process that is killed leaves none") {
  start_llama_runtime(INFERNODE_TEST_BACKENDS);
  const Folder folder;
  std::size_t seen = 0;
  const auto look = [&](float part) {
    if (part < 1) seen = std::max(seen, folder.names().size());
  };
  quantize_to_file(Source(256), {.type = "q8_0", .out = folder.file(), .progress = look}, kNever);
#ifdef __linux__
  CHECK_EQ(seen, 0u);
#endif
}
