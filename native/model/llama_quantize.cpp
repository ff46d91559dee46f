// The quantizer has no cancel or progress callback, but it logs a line before each tensor: a log
// watch counts these lines and throws to cancel.
#include "model/llama_quantize.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "core/failures.h"
#include "core/types.h"
#include "llama.h"
#include "model/gguf_text.h"
#include "model/host_limits.h"
#include "model/llama_abort.h"
#include "model/llama_dry_run.h"
#include "model/llama_log.h"
#include "model/memory_estimate.h"

namespace infernode {

namespace {

namespace fs = std::filesystem;

struct NamedType {
  std::string_view name;
  llama_ftype type;
};

// Excludes the types that llama.cpp refuses to make without an importance matrix.
constexpr std::array kNamedTypes = {
    NamedType{"q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},     NamedType{"q6_k", LLAMA_FTYPE_MOSTLY_Q6_K},
    NamedType{"q5_k_m", LLAMA_FTYPE_MOSTLY_Q5_K_M}, NamedType{"q5_k_s", LLAMA_FTYPE_MOSTLY_Q5_K_S},
    NamedType{"q5_k", LLAMA_FTYPE_MOSTLY_Q5_K_M},   NamedType{"q5_1", LLAMA_FTYPE_MOSTLY_Q5_1},
    NamedType{"q5_0", LLAMA_FTYPE_MOSTLY_Q5_0},     NamedType{"q4_k_m", LLAMA_FTYPE_MOSTLY_Q4_K_M},
    NamedType{"q4_k_s", LLAMA_FTYPE_MOSTLY_Q4_K_S}, NamedType{"q4_k", LLAMA_FTYPE_MOSTLY_Q4_K_M},
    NamedType{"q4_1", LLAMA_FTYPE_MOSTLY_Q4_1},     NamedType{"q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},
    NamedType{"iq4_nl", LLAMA_FTYPE_MOSTLY_IQ4_NL}, NamedType{"iq4_xs", LLAMA_FTYPE_MOSTLY_IQ4_XS},
    NamedType{"q3_k_l", LLAMA_FTYPE_MOSTLY_Q3_K_L}, NamedType{"q3_k_m", LLAMA_FTYPE_MOSTLY_Q3_K_M},
    NamedType{"q3_k_s", LLAMA_FTYPE_MOSTLY_Q3_K_S}, NamedType{"q3_k", LLAMA_FTYPE_MOSTLY_Q3_K_M},
    NamedType{"iq3_m", LLAMA_FTYPE_MOSTLY_IQ3_M},   NamedType{"iq3_s", LLAMA_FTYPE_MOSTLY_IQ3_S},
    NamedType{"q2_k", LLAMA_FTYPE_MOSTLY_Q2_K},     NamedType{"f16", LLAMA_FTYPE_MOSTLY_F16},
    NamedType{"bf16", LLAMA_FTYPE_MOSTLY_BF16},     NamedType{"f32", LLAMA_FTYPE_ALL_F32},
};

constexpr std::size_t kPieceBytes = std::size_t{4} << 20;   // of the temporary file
constexpr std::size_t kSlabBytes = std::size_t{128} << 20;  // of the quantizer, at once
constexpr float kWritingShare = 0.3f;  // share of the progress; quantizing is the slower part

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& letter : lower)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return lower;
}

llama_ftype type_of(std::string_view name) {
  const std::string lower = lower_case(name);
  const auto found = std::ranges::find(kNamedTypes, lower, &NamedType::name);
  if (found != kNamedTypes.end()) return found->type;
  std::string known;
  for (const NamedType& type : kNamedTypes)
    known += (known.empty() ? "" : ", ") + std::string(type.name);
  throw Error(ErrorCode::kInvalidOption,
              "quantize: \"" + lower.substr(0, 32) +
                  "\" is not a type that weights can be quantized to; use one of " + known + ".");
}

[[noreturn]] void refuse_write(const std::string& path, const char* what, int error) {
  throw Error(write_failure(error),
              quoted_path(path) + " could not be " + what + ": " + std::strerror(error) + ".");
}

// Unique to this process and this file.
std::string own_number() {
  static std::atomic<unsigned> made{0};
  return std::to_string(::getpid()) + "." + std::to_string(made.fetch_add(1));
}

// A file descriptor and a path by which it can be opened again.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& beside)
      : path_(beside + ".plain." + own_number() + ".tmp") {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor_ < 0) refuse_write(path_, "made", errno);
#ifdef __linux__
    const std::string again = "/proc/self/fd/" + std::to_string(descriptor_);
    if (::access(again.c_str(), R_OK) == 0 && ::unlink(path_.c_str()) == 0) {
      path_ = again;
      named_ = false;
    }
#endif
  }
  ~TemporaryFile() {
    ::close(descriptor_);
    if (named_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

  void write(std::span<const char> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) refuse_write(path_, "written", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }
  // Unwritten space reads as zeros and occupies no storage.
  void extend(std::uint64_t size) {
    if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0)
      refuse_write(path_, "extended", errno);
  }

 private:
  std::string path_;
  int descriptor_ = -1;
  bool named_ = true;
};

// The result, which gets its name once it is complete; until then it has no name where the file
// system allows that, else a temporary name that is removed.
class UnfinishedFile {
 public:
  explicit UnfinishedFile(const std::string& out)
      : out_(out), named_(out + ".quantized." + own_number() + ".tmp"), path_(named_) {
#ifdef __linux__
    std::error_code failed;
    const std::string folder = fs::absolute(out, failed).parent_path().string();
    descriptor_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    const std::string again = "/proc/self/fd/" + std::to_string(descriptor_);
    if (descriptor_ >= 0 && ::access(again.c_str(), W_OK) == 0) path_ = again;
#endif
  }
  ~UnfinishedFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!finished_) ::unlink(named_.c_str());
  }
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;

  const std::string& path() const { return path_; }

  void finish() {
    const int descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    const int sync_error = errno;
    if (descriptor >= 0) ::close(descriptor);
    if (!synced) refuse_write(out_, "written", sync_error);
    const bool has_name = path_ == named_ || ::linkat(AT_FDCWD, path_.c_str(), AT_FDCWD,
                                                      named_.c_str(), AT_SYMLINK_FOLLOW) == 0;
    if (!has_name || ::rename(named_.c_str(), out_.c_str()) != 0)
      refuse_write(out_, "written", errno);
    finished_ = true;
  }

 private:
  std::string out_;
  std::string named_;  // its temporary name, if it has one
  std::string path_;   // the path to open it by
  int descriptor_ = -1;
  bool finished_ = false;
};

struct Cancelled : std::exception {
  const char* what() const noexcept override { return "cancelled"; }
};

// Interprets the lines that the quantizer logs.
class Lines {
 public:
  Lines(std::function<void(float)> progress, const std::atomic<bool>* cancelled)
      : progress_(std::move(progress)), cancelled_(cancelled) {}

  // Does not throw on the line that reports its own exception.
  void read_line(int level, std::string_view line) {
    const bool is_error = level >= GGML_LOG_LEVEL_ERROR;
    if (!is_error && cancelled_ != nullptr && cancelled_->load()) throw Cancelled();
    unsigned done = 0, all = 0;
    double megabytes = 0;
    const std::string text(line);
    if (std::sscanf(text.c_str(), "[%u/%u]", &done, &all) == 2 && all > 0 && progress_)
      progress_(static_cast<float>(done - 1) / static_cast<float>(all));
    const std::size_t size = text.find("quant size  = ");
    if (size != std::string::npos &&
        std::sscanf(text.c_str() + size, "quant size  = %lf", &megabytes) == 1)
      megabytes_ = megabytes;
    hear_fallback(text);
    needs_matrix_ = needs_matrix_ || text.find("will require an imatrix") != std::string::npos;
  }

  bool needs_matrix() const { return needs_matrix_; }
  double megabytes() const { return megabytes_; }
  std::vector<std::string> notes() const {
    std::vector<std::string> notes;
    for (const auto& [types, count] : fallbacks_)
      notes.push_back(std::to_string(count) +
                      (count == 1 ? " tensor whose width is" : " tensors whose width is") +
                      " not a multiple of a block of " + types.first + " become " + types.second);
    return notes;
  }

 private:
  // "… (required for type    q4_K) ", then "-> falling back to    q5_0".
  void hear_fallback(const std::string& text) {
    std::array<char, 17> name = {};
    const std::size_t wanted = text.find("(required for type ");
    if (wanted != std::string::npos &&
        std::sscanf(text.c_str() + wanted, "(required for type %16[^)]", name.data()) == 1)
      wanted_ = std::string(name.data());
    const std::size_t taken = text.find("-> falling back to ");
    if (taken == std::string::npos ||
        std::sscanf(text.c_str() + taken, "-> falling back to %16s", name.data()) != 1)
      return;
    ++fallbacks_[{lower_case(wanted_), lower_case(name.data())}];
  }

  std::function<void(float)> progress_;
  const std::atomic<bool>* cancelled_;
  std::string wanted_;
  std::map<std::pair<std::string, std::string>, int> fallbacks_;
  double megabytes_ = 0;
  bool needs_matrix_ = false;
};

// llama.cpp does not say why a write failed: the free space does.
[[noreturn]] void refuse_quantized(const std::string& to, const std::string& label) {
  std::error_code failed;
  const fs::space_info space = fs::space(to, failed);
  if (!failed && space.available < kSlabBytes)
    throw Error(
        ErrorCode::kDiskFull,
        quoted_path(label) + " could not be written quantized; free disk space and try again.");
  throw Error(ErrorCode::kFileNotWritable,
              quoted_path(label) +
                  " could not be written quantized, and the disk is not full: look at its quota "
                  "and its errors, or name another folder.");
}

// Runs the quantizer. Its exceptions are reported by its last error line.
void run(const std::string& from, const std::string& to, const llama_model_quantize_params& params,
         Lines& lines, const std::string& label) {
  const LlamaLogCapture capture;
  const LlamaLogMute mute;
  const LlamaAbortGuard guard;
  std::uint32_t failed = 1;
  {
    const LlamaLogWatch watch(
        [&](int level, std::string_view line) { lines.read_line(level, line); });
    failed = llama_model_quantize(from.c_str(), to.c_str(), &params);
  }
  if (failed == 0) return;
  const std::vector<std::string>& errors = capture.errors();
  const std::string reason = errors.empty() ? "it gave no reason" : errors.back();
  if (reason.find("cancelled") != std::string::npos)
    throw Error(ErrorCode::kCancelled, "Quantizing " + quoted_path(label) + " was cancelled.");
  if (reports_out_of_memory(errors))
    throw Error(ErrorCode::kOutOfMemory,
                "There is too little memory to quantize " + quoted_path(label) + ".");
  if (reason.find("iostream") != std::string::npos) refuse_quantized(to, label);
  throw Error(ErrorCode::kModelLoadFailed,
              quoted_path(label) + " could not be quantized; llama.cpp says: " + reason);
}

llama_model_quantize_params params_of(llama_ftype type, int threads) {
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = type;
  params.nthread = threads > 0 ? threads : usable_cpus();
  params.max_buf_size = kSlabBytes;
  return params;
}

std::string header_of(const GgufSource& source) {
  std::string header(static_cast<std::size_t>(source.parse().header_bytes()), '\0');
  source.read(0, header);
  return header;
}

// Quantizing twice would add avoidable noise.
void check_plain(const GgufSource& source) {
  const GgufFile file = source.parse();
  for (const GgufTensor& tensor : file.tensors()) {
    if (gguf_tensor_type(tensor.type)->block_elements == 1) continue;
    throw Error(ErrorCode::kInvalidOption,
                "quantize: the weights of " + quoted_path(source.label()) +
                    " are quantized already (" + std::string(tensor.type_name) +
                    "); choose what they become by the profile.");
  }
}

void check_space(const GgufSource& source, const QuantizePlan& plan, const std::string& out) {
  std::error_code failed;
  const fs::path folder = fs::absolute(out, failed).parent_path();
  const fs::space_info space = fs::space(folder, failed);
  const std::uint64_t needed = source.size() + plan.bytes;
  if (failed || space.available >= needed) return;  // whether the folder is writable shows later
  throw Error(ErrorCode::kDiskFull,
              "Quantizing needs " + in_mib(needed) + " in " + quoted_path(folder.string()) + " (" +
                  in_mib(source.size()) + " for plain weights, deleted afterwards, and " +
                  in_mib(plan.bytes) + " for the result), where " + in_mib(space.available) +
                  " are free.");
}

void write_plain(const GgufSource& source, TemporaryFile& file, const QuantizeRequest& request,
                 const std::atomic<bool>& cancelled) {
  std::vector<char> piece(kPieceBytes);
  for (std::uint64_t at = 0; at < source.size(); at += piece.size()) {
    if (cancelled)
      throw Error(ErrorCode::kCancelled,
                  "Quantizing " + quoted_path(source.label()) + " was cancelled.");
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), source.size() - at));
    source.read(at, std::span(piece).first(count));
    file.write(std::span(piece).first(count));
    if (request.progress)
      request.progress(kWritingShare * static_cast<float>(at + count) /
                       static_cast<float>(source.size()));
  }
}

}  // namespace

std::vector<std::string> quantize_types() {
  std::vector<std::string> names;
  for (const NamedType& type : kNamedTypes) names.emplace_back(type.name);
  return names;
}

// A dry run over the header alone, in a file with a hole in place of the weights.
QuantizePlan plan_quantization(const GgufSource& source, std::string_view type) {
  const llama_ftype ftype = type_of(type);
  check_plain(source);
  const std::string header = header_of(source);
  TemporaryFile file((fs::temp_directory_path() / "infernode-header").string());
  file.write(header);
  file.extend(source.size());
  llama_model_quantize_params params = params_of(ftype, 1);
  params.dry_run = true;
  Lines lines(nullptr, nullptr);
  run(file.path(), "", params, lines, source.label());
  if (lines.needs_matrix())
    throw Error(ErrorCode::kInvalidOption,
                "quantize: " + lower_case(type) +
                    " of this model needs an importance matrix; use q4_k_m or a larger type.");
  return {header.size() + static_cast<std::uint64_t>(lines.megabytes() * (1 << 20)), lines.notes()};
}

QuantizePlan quantize_to_file(const GgufSource& source, const QuantizeRequest& request,
                              const std::atomic<bool>& cancelled) {
  QuantizePlan plan = plan_quantization(source, request.type);
  check_space(source, plan, request.out);
  TemporaryFile plain(request.out);
  write_plain(source, plain, request, cancelled);
  UnfinishedFile result(request.out);
  const auto progress = [&](float fraction) {
    if (request.progress) request.progress(kWritingShare + (1 - kWritingShare) * fraction);
  };
  Lines lines(progress, &cancelled);
  run(plain.path(), result.path(), params_of(type_of(request.type), request.threads), lines,
      source.label());
  result.finish();
  if (request.progress) request.progress(1);
  return plan;
}

}  // namespace infernode
