#include "model/llama_quantize.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <utility>

#include "checkpoint/output_file.h"
#include "core/types.h"
#include "llama.h"
#include "model/gguf_text.h"
#include "model/host_limits.h"
#include "model/llama_abort.h"
#include "model/llama_dry_run.h"
#include "model/llama_log.h"
#include "model/llama_quantize_log.h"
#include "model/llama_quantize_types.h"
#include "model/memory_estimate.h"

namespace infernode {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = std::size_t{4} << 20;   // of the temporary file
constexpr std::size_t kSlabBytes = std::size_t{128} << 20;  // of the quantizer, at once
constexpr float kWritingShare = 0.3f;  // share of the progress; quantizing is the slower part

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

Error cancelled_error(const std::string& label) {
  return {ErrorCode::kCancelled, "Quantizing " + quoted_path(label) + " was cancelled."};
}

// Runs the quantizer. Its exceptions are reported by its last error line.
void run(const std::string& from, const std::string& to, const llama_model_quantize_params& params,
         QuantizeLog& log, const std::string& label) {
  const LlamaLogCapture capture;
  const LlamaLogMute mute;
  const LlamaAbortGuard guard;
  std::uint32_t failed = 1;
  {
    const LlamaLogWatch watch(
        [&](int level, std::string_view line) { log.read_line(level, line); });
    failed = llama_model_quantize(from.c_str(), to.c_str(), &params);
  }
  if (failed == 0) return;
  if (log.ended_it()) throw cancelled_error(label);
  const std::vector<std::string>& errors = capture.errors();
  const std::string reason = errors.empty() ? "it gave no reason" : errors.back();
  if (reports_out_of_memory(errors))
    throw Error(ErrorCode::kOutOfMemory,
                "There is too little memory to quantize " + quoted_path(label) + ".");
  if (reason.find("iostream") != std::string::npos) refuse_quantized(to, label);
  throw Error(ErrorCode::kModelLoadFailed,
              quoted_path(label) + " could not be quantized; llama.cpp says: " + reason);
}

llama_model_quantize_params params_of(std::int32_t type, int threads) {
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = static_cast<llama_ftype>(type);
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

void write_plain(const GgufSource& source, OutputFile& file, const QuantizeRequest& request,
                 const std::atomic<bool>& cancelled) {
  std::vector<char> piece(kPieceBytes);
  for (std::uint64_t at = 0; at < source.size(); at += piece.size()) {
    if (cancelled) throw cancelled_error(source.label());
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), source.size() - at));
    source.read(at, std::span(piece).first(count));
    file.write(at, std::span(piece).first(count));
    if (request.progress)
      request.progress(kWritingShare * static_cast<float>(at + count) /
                       static_cast<float>(source.size()));
  }
}

}  // namespace

// A dry run over the header alone, in a file with a hole in place of the weights.
QuantizePlan plan_quantization(const GgufSource& source, std::string_view type) {
  const std::int32_t ftype = quantize_type(type);
  check_plain(source);
  const std::string header = header_of(source);
  OutputFile file((fs::temp_directory_path() / "infernode-header").string(), header.size());
  file.hide();
  file.write(0, header);
  file.extend(source.size());
  llama_model_quantize_params params = params_of(ftype, 1);
  params.dry_run = true;
  QuantizeLog log(nullptr, nullptr);
  run(file.path(), "", params, log, source.label());
  if (log.needs_matrix())
    throw Error(ErrorCode::kInvalidOption,
                "quantize: " + lower_case(type) +
                    " of this model needs an importance matrix; use q4_k_m or a larger type.");
  return {header.size() + static_cast<std::uint64_t>(log.megabytes() * (1 << 20)), log.notes()};
}

QuantizePlan quantize_to_file(const GgufSource& source, const QuantizeRequest& request,
                              const std::atomic<bool>& cancelled) {
  QuantizePlan plan = plan_quantization(source, request.type);
  check_space(source, plan, request.out);
  OutputFile plain(request.out, source.size());
  plain.hide();
  write_plain(source, plain, request, cancelled);
  OutputFile result(request.out, plan.bytes);
  const auto progress = [&](float fraction) {
    if (request.progress) request.progress(kWritingShare + (1 - kWritingShare) * fraction);
  };
  QuantizeLog log(progress, &cancelled);
  run(plain.path(), result.path(), params_of(quantize_type(request.type), request.threads), log,
      source.label());
  result.commit();
  if (request.progress) request.progress(1);
  return plan;
}

}  // namespace infernode
