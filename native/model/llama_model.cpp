// See llama_model.h. The order of a load: header, rules, parts, memory, page cache, then llama.cpp
// under a log capture and an abort guard.
#include "model/llama_model.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <cmath>
#include <new>
#include <utility>

#include "checkpoint/tokenizer.h"
#include "ggml-backend.h"
#include "llama.h"
#include "model/fingerprint.h"
#include "model/gguf_parser.h"
#include "model/host_limits.h"
#include "model/llama_dry_run.h"
#include "model/llama_fit.h"
#include "model/llama_layer_places.h"
#include "model/llama_memory_sizes.h"
#include "model/llama_rank_head.h"
#include "model/llama_runtime.h"
#include "model/model_rules.h"
#include "model/model_source.h"
#include "model/page_cache.h"
#include "model/synthetic_file.h"

namespace infernode {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostTextBytes = std::size_t{1} << 30;
constexpr std::uint64_t kMapAlignment = 32;  // ggml's TENSOR_ALIGNMENT
constexpr float kWarmShare = 0.9f;  // share of a load's time spent reading; the rest is set-up

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void refuse_if_cancelled(const std::atomic<bool>& cancelled, const std::string& path) {
  if (!cancelled.load()) return;
  throw Error(ErrorCode::kCancelled, "Loading " + quoted_path(path) + " was cancelled.");
}

// Forwards progress in increasing hundredths and returns whether to continue.
struct LoadWatch {
  const ProgressCallback& progress;
  const std::atomic<bool>& cancelled;
  float warmed = 0;  // the share of the work done before llama.cpp starts
  int hundredths = -1;

  bool reached(float fraction) {
    const int now = static_cast<int>(std::lround(std::clamp(fraction, 0.0f, 1.0f) * 100));
    if (now > hundredths) {
      hundredths = now;
      if (progress) progress(static_cast<float>(now) / 100);
    }
    return !cancelled.load();
  }

  // Passed to llama.cpp, which calls it while it reads.
  static bool on_progress(float fraction, void* self) {
    auto& watch = *static_cast<LoadWatch*>(self);
    return watch.reached(watch.warmed + (1 - watch.warmed) * fraction);
  }
};

// ggml asserts the alignment of memory that it did not allocate.
bool can_map(std::span<const GgufFile> parts, const LoadOptions& options,
             const ModelSource& source) {
  return options.memory_map && source.is_file() &&
         std::ranges::all_of(
             parts, [](const GgufFile& part) { return part.alignment() % kMapAlignment == 0; });
}

// Reads the files ahead of llama.cpp's mapping if they fit into memory.
void warm_files(std::span<const GgufFile> parts, LoadWatch& watch) {
  std::uint64_t all = 0;
  for (const GgufFile& part : parts) all += part.file_bytes();
  const std::uint64_t available = available_memory_bytes();
  if (available != 0 && all > available) return;
  std::uint64_t before = 0;
  for (const GgufFile& part : parts) {
    const bool whole = warm_page_cache(part.label(), [&](std::uint64_t bytes) {
      const double done = static_cast<double>(before + bytes) / static_cast<double>(all);
      return watch.reached(kWarmShare * static_cast<float>(done));
    });
    if (!whole) return;
    before += part.file_bytes();
  }
  watch.warmed = kWarmShare;
}

llama_model* load_weights(const ModelSource& source, const LoadOptions& options, bool map,
                          LoadWatch& watch) {
  PlacedParams placed(options.placement);
  llama_model_params& params = placed.values;
  params.load_mode = map ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
  params.progress_callback = LoadWatch::on_progress;
  params.progress_callback_user_data = &watch;
  if (source.is_file()) return llama_model_load_from_file(source.path().c_str(), params);
  return llama_model_load_from_file_ptr(source.open_stream().get(), params);
}

std::string fingerprint_of(const GgufFile& file, const ModelSource& source) {
  const FileHandle opened = source.open(file);
  return model_fingerprint(opened.get(), file.file_bytes(), file.header_bytes());
}

std::vector<std::string> rank_labels_of(const GgufFile& file) {
  const std::string key = std::string(file.string("general.architecture"));
  const GgufValue* value = file.find(key + ".classifier.output_labels");
  const auto* array = value == nullptr ? nullptr : std::get_if<GgufArray>(&value->value);
  if (array == nullptr) return {};
  const std::vector<std::string_view> labels = file.strings(*array);
  return {labels.begin(), labels.end()};
}

// nullptr if the model is not a checkpoint.
std::shared_ptr<const CheckpointFile> open_checkpoint(const LoadOptions& options) {
  if (!options.checkpoint) return nullptr;
  CheckpointOptions asked = *options.checkpoint;
  asked.keep_bf16 = options.placement.uses_devices();
  return CheckpointFile::open(asked);
}

ModelSource source_of(const LoadOptions& options,
                      const std::shared_ptr<const CheckpointFile>& checkpoint) {
  if (checkpoint) return ModelSource(checkpoint);
  if (options.synthetic)
    return ModelSource(std::make_shared<const SyntheticFile>(*options.synthetic));
  return ModelSource(options.path);
}

std::string text_of(const char* text) { return text == nullptr ? "" : text; }

// The GGUF format has keys for three end-of-generation tokens; files made from checkpoints list all
// of them.
std::vector<std::int64_t> end_tokens_of(const GgufFile* file) {
  const GgufValue* value = file == nullptr ? nullptr : file->find(kEndTokensKey);
  const auto* array = value == nullptr ? nullptr : std::get_if<GgufArray>(&value->value);
  return array == nullptr ? std::vector<std::int64_t>() : file->integers(*array);
}

}  // namespace

void LlamaModel::Deleter::operator()(llama_model* model) const { llama_model_free(model); }

std::vector<GgufFile> LlamaModel::read_headers(const LoadOptions& options) {
  return source_of(options, open_checkpoint(options)).parts();
}

std::shared_ptr<const LlamaModel> LlamaModel::load(const LoadOptions& asked,
                                                   const ProgressCallback& progress,
                                                   const std::atomic<bool>& cancelled) {
  const Clock::time_point start = Clock::now();
  const auto checkpoint = open_checkpoint(asked);
  const ModelSource source = source_of(asked, checkpoint);
  std::vector<GgufFile> parts = source.parts();
  LoadOptions options = asked;
  options.placement = with_fitting_layers(parts, asked.placement);
  const bool map = can_map(parts, options, source);
  auto dry_run = std::make_unique<const LlamaDryRun>(parts, options.placement);
  const WeightMemory weights = dry_run->weights();
  check_weights_fit(parts.front().label(), weights, map, memory_room());
  LoadWatch watch{progress, cancelled};
  if (map) warm_files(parts, watch);
  refuse_if_cancelled(cancelled, options.path);

  const LlamaLogCapture capture;
  const LlamaAbortGuard guard;
  LlamaLayerPlaces places;
  Handle handle;
  {
    const LlamaLogWatch lines([&](int, std::string_view line) { places.hear(line); });
    handle.reset(load_weights(source, options, map, watch));
  }
  refuse_if_cancelled(cancelled, options.path);
  source.rethrow_failure();
  if (handle == nullptr) refuse_load(options.path, capture.errors());

  std::shared_ptr<const RankHead> head =
      read_rank_head(parts, [&](const GgufFile& part) { return source.open(part); });
  std::vector<std::string> labels =
      head ? rank_labels_of(parts.front()) : std::vector<std::string>();
  const std::shared_ptr<LlamaModel> model(
      new LlamaModel(std::move(parts.front()), std::move(handle), std::move(dry_run)));
  model->weights_ = weights;
  model->describe();
  model->info_.devices = places.devices(options.placement, weights, model->info_.layer_count);
  model->info_.fingerprint = fingerprint_of(model->file_, source);
  model->info_.rank_labels = std::move(labels);
  if (checkpoint) model->info_.checkpoint = checkpoint->report();
  model->rank_head_ = std::move(head);
  model->check_special_tokens();
  model->info_.load_milliseconds = milliseconds_since(start);
  return model;
}

LlamaModel::LlamaModel(GgufFile file, Handle handle, std::unique_ptr<const LlamaDryRun> dry_run)
    : file_(std::move(file)), handle_(std::move(handle)), dry_run_(std::move(dry_run)) {
  vocab_ = std::make_unique<const LlamaVocab>(raw_vocab(), &file_);
  file_.drop_array_bytes();
}

LlamaModel::~LlamaModel() = default;

const llama_vocab* LlamaModel::raw_vocab() const { return llama_model_get_vocab(handle_.get()); }

void LlamaModel::describe() {
  const llama_model* model = handle_.get();
  const llama_vocab* vocab = raw_vocab();
  info_.architecture = file_.string("general.architecture");
  info_.name = file_.string("general.name");
  std::string description(128, '\0');
  const std::int32_t length = llama_model_desc(model, description.data(), description.size());
  description.resize(static_cast<std::size_t>(std::clamp<std::int32_t>(length, 0, 127)));
  info_.description = description;
  info_.vocabulary_size = llama_vocab_n_tokens(vocab);
  info_.context_length = llama_model_n_ctx_train(model);
  info_.embedding_length = llama_model_n_embd(model);
  info_.layer_count = llama_model_n_layer(model);
  info_.parameter_count = llama_model_n_params(model);
  info_.size_bytes = llama_model_size(model);
  info_.bos_token = llama_vocab_bos(vocab);
  info_.eos_token = llama_vocab_eos(vocab);
  info_.add_bos = llama_vocab_get_add_bos(vocab);
  const char* chat_template = llama_model_chat_template(model, nullptr);
  info_.has_chat_template = chat_template != nullptr;
  info_.chat_template = text_of(chat_template);
  info_.recurrent = llama_model_is_recurrent(model);
  info_.hybrid = llama_model_is_hybrid(model);
  info_.sliding_window = llama_model_n_swa(model);
  const GgufValue* space = file_.find("tokenizer.ggml.add_space_prefix");
  const auto* adds_space = space == nullptr ? nullptr : std::get_if<bool>(&space->value);
  adds_space_ =
      llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_SPM && (adds_space == nullptr || *adds_space);
}

// llama_tokenize asserts these when it adds special tokens.
void LlamaModel::check_special_tokens() const {
  const llama_vocab* vocab = raw_vocab();
  const bool word_piece = llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_WPM;
  const bool bos_missing = (info_.add_bos || word_piece) && info_.bos_token < 0;
  const bool eos_missing = llama_vocab_get_add_eos(vocab) && info_.eos_token < 0;
  const bool sep_missing = word_piece && llama_vocab_sep(vocab) < 0;
  if (!bos_missing && !eos_missing && !sep_missing) return;
  refuse_model(file_, std::string("its tokenizer adds a ") +
                          (bos_missing   ? "beginning"
                           : eos_missing ? "end"
                                         : "separator") +
                          " token that the vocabulary does not have");
}

std::vector<TokenId> LlamaModel::tokenize(std::string_view text, bool add_special,
                                          bool parse_special) const {
  if (text.size() > kMostTextBytes) {
    throw Error(ErrorCode::kInvalidOption, "A text of " + std::to_string(text.size()) +
                                               " bytes cannot be tokenized, at most " +
                                               std::to_string(kMostTextBytes) + " are possible.");
  }
  // Each token takes at least one byte of the text, except for added ones; unused pages of the
  // buffer are never touched.
  auto capacity = static_cast<std::int32_t>(text.size() + 16);
  try {
    for (;;) {
      const auto tokens =
          std::make_unique_for_overwrite<TokenId[]>(static_cast<std::size_t>(capacity));
      const std::int32_t count =
          llama_tokenize(raw_vocab(), text.data(), static_cast<std::int32_t>(text.size()),
                         tokens.get(), capacity, add_special, parse_special);
      if (count >= 0) return {tokens.get(), tokens.get() + count};
      if (count == INT32_MIN) throw std::length_error("too many tokens");
      capacity = -count;
    }
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kInvalidOption,
                std::string("The text cannot be tokenized with this model's vocabulary (") +
                    error.what() + "); the vocabulary lacks a byte the text needs.");
  }
}

std::string LlamaModel::detokenize(std::span<const TokenId> tokens, bool special) const {
  std::string text;
  bool strip_space = adds_space_;
  for (const TokenId token : tokens) {
    must_be_known(token);
    std::string_view piece = vocab_->piece(token);
    if (piece.empty() && special) {
      text += control_text(token);
      continue;
    }
    const bool silent = piece.empty();
    if (strip_space && piece.starts_with(' ')) piece.remove_prefix(1);
    strip_space = strip_space && silent;
    text += piece;
  }
  return text;
}

std::string LlamaModel::token_bytes(TokenId token) const {
  must_be_known(token);
  const std::string_view piece = vocab_->piece(token);
  return piece.empty() ? control_text(token) : std::string(piece);
}

void LlamaModel::must_be_known(TokenId token) const {
  if (token >= 0 && token < vocab_->size()) return;
  throw Error(ErrorCode::kInvalidOption, "Token " + std::to_string(token) +
                                             " is outside the vocabulary of " +
                                             std::to_string(vocab_->size()) + " tokens.");
}

std::string LlamaModel::control_text(TokenId token) const {
  std::string text(128, '\0');
  std::int32_t length = 0;
  while ((length = llama_token_to_piece(raw_vocab(), token, text.data(),
                                        static_cast<std::int32_t>(text.size()), 0, true)) < 0) {
    text.resize(static_cast<std::size_t>(-length));
  }
  text.resize(static_cast<std::size_t>(length));
  return text;
}

MemoryNeeded LlamaModel::memory_needed(const EngineShape& shape) const {
  MemoryNeeded needed = dry_run_->context(shape);
  needed.weight_bytes = info_.size_bytes;
  add_devices(needed.devices, weights_.devices);
  return needed;
}

LlamaVocab::LlamaVocab(const llama_vocab* vocab, const GgufFile* file) {
  const std::int32_t count = llama_vocab_n_tokens(vocab);
  piece_ends_.reserve(static_cast<std::size_t>(count));
  end_of_generation_.resize(static_cast<std::size_t>(count));
  std::string piece(128, '\0');
  for (TokenId token = 0; token < count; ++token) {
    std::int32_t length = 0;
    while ((length = llama_token_to_piece(vocab, token, piece.data(),
                                          static_cast<std::int32_t>(piece.size()), 0, false)) < 0) {
      piece.resize(static_cast<std::size_t>(-length));
    }
    bytes_.append(piece, 0, static_cast<std::size_t>(length));
    piece_ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    end_of_generation_[static_cast<std::size_t>(token)] = llama_vocab_is_eog(vocab, token);
  }
  for (const std::int64_t token : end_tokens_of(file))
    if (token >= 0 && token < count) end_of_generation_[static_cast<std::size_t>(token)] = true;
  bytes_.shrink_to_fit();
}

bool LlamaVocab::is_end_of_generation(TokenId token) const {
  return token >= 0 && token < size() && end_of_generation_[static_cast<std::size_t>(token)];
}

std::string_view LlamaVocab::piece(TokenId token) const {
  if (token < 0 || token >= size()) return {};
  const auto index = static_cast<std::size_t>(token);
  const std::size_t begin = index == 0 ? 0 : piece_ends_[index - 1];
  return std::string_view(bytes_).substr(begin, piece_ends_[index] - begin);
}

}  // namespace infernode
