// A Model: weights and vocabulary, loaded once, immutable afterwards, owned through a shared_ptr by
// every engine that uses it. Validates a file (gguf_file, model_rules, memory) before llama.cpp
// sees it and maps llama.cpp's failures to error codes. Creates no context; llama_backend does.
// load() blocks as long as the disk takes: call it on a worker thread. Every const method may be
// called from any thread at any time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint_file.h"
#include "core/backend.h"
#include "core/sampling/rank_head.h"
#include "core/types.h"
#include "model/gguf_file.h"
#include "model/llama_layer_places.h"
#include "model/memory_estimate.h"
#include "model/placement.h"
#include "model/synthetic_shape.h"

struct llama_model;
struct llama_vocab;

namespace infernode {

class LlamaDryRun;

struct LoadOptions {
  std::string path;  // of the GGUF file; the first part of a split model
  Placement placement = {};
  bool memory_map = true;
  // Generated instead of read; `path` is then its reference.
  std::optional<SyntheticShape> synthetic = {};
  std::optional<CheckpointOptions> checkpoint = {};  // a Hugging Face directory at `path`
};

// A fraction from 0 to 1, never decreasing, reported on the thread that called load(); at most one
// call per hundredth. Must not throw.
using ProgressCallback = std::function<void(float fraction)>;

struct ModelInfo {
  std::string architecture;  // "llama"
  std::string description;   // llama.cpp's description, e.g. "llama 1B Q8_0"
  std::string name;          // general.name, or ""
  std::int32_t vocabulary_size = 0;
  std::int32_t context_length = 0;  // the length the model was trained for
  std::int32_t embedding_length = 0;
  std::int32_t layer_count = 0;
  std::uint64_t parameter_count = 0;
  std::uint64_t size_bytes = 0;  // of all tensors together
  TokenId bos_token = -1;        // -1 if the model has none
  TokenId eos_token = -1;
  bool add_bos = false;
  bool has_chat_template = false;
  std::string chat_template;
  std::vector<ModelDevice> devices;  // the devices that hold weights or layers, the host last
  std::string fingerprint;           // see model_fingerprint()
  double load_milliseconds = 0;
  bool recurrent = false;                      // Mamba, RWKV: one state per sequence
  bool hybrid = false;                         // attention and recurrent layers mixed
  std::int32_t sliding_window = 0;             // positions; 0: full attention
  std::vector<std::string> rank_labels;        // of its rank head; empty if it has none
  std::optional<CheckpointReport> checkpoint;  // present if it was loaded from safetensors
};

// Every token's bytes in one buffer, read from llama.cpp once at load.
class LlamaVocab final : public Vocab {
 public:
  // `file`, if given, may name end-of-generation tokens in addition to those llama.cpp knows.
  explicit LlamaVocab(const llama_vocab* vocab, const GgufFile* file = nullptr);

  std::int32_t size() const override {
    return static_cast<std::int32_t>(end_of_generation_.size());
  }
  // False for a token outside [0, size()).
  [[nodiscard]] bool is_end_of_generation(TokenId token) const override;
  // Empty for control tokens and tokens outside [0, size()).
  std::string_view piece(TokenId token) const override;

 private:
  std::string bytes_;                      // all pieces, in token order
  std::vector<std::uint32_t> piece_ends_;  // piece t: [ends[t-1], ends[t])
  std::vector<bool> end_of_generation_;
};

class LlamaModel {
 public:
  // start_llama_runtime() must have succeeded. Returns a model or throws Error: GgufFile's codes,
  // kModelArchitectureUnsupported, kOutOfMemory, kCancelled (soon after `cancelled` becomes true)
  // or kModelLoadFailed.
  static std::shared_ptr<const LlamaModel> load(const LoadOptions& options,
                                                const ProgressCallback& progress,
                                                const std::atomic<bool>& cancelled);

  // Reads and validates the headers of what load() would load, with the same checks; reads no
  // weights.
  static std::vector<GgufFile> read_headers(const LoadOptions& options);

  ~LlamaModel();
  LlamaModel(const LlamaModel&) = delete;
  LlamaModel& operator=(const LlamaModel&) = delete;

  const ModelInfo& info() const { return info_; }
  // The header: metadata and tensors (of the first part of a split model).
  const GgufFile& file() const { return file_; }
  const LlamaVocab& vocab() const { return *vocab_; }
  // Null if the model is not a reranker.
  const std::shared_ptr<const RankHead>& rank_head() const { return rank_head_; }

  // Converts UTF-8 to tokens. `add_special` adds BOS and similar tokens as the model requires;
  // `parse_special` reads "<|im_end|>" as the token instead of as text. Throws
  // Error(kInvalidOption) for a text over 1 GiB and for a byte that the vocabulary cannot
  // represent.
  std::vector<TokenId> tokenize(std::string_view text, bool add_special, bool parse_special) const;

  // Converts tokens to bytes; `special` renders control tokens as well. The space that a
  // SentencePiece vocabulary adds before a text's first word is removed. Tokens outside the
  // vocabulary throw Error(kInvalidOption). The result may end inside a UTF-8 character.
  std::string detokenize(std::span<const TokenId> tokens, bool special) const;

  // The bytes of one token inside a text, including its leading space; the text of a control token.
  // Throws Error(kInvalidOption) for a token outside the vocabulary.
  std::string token_bytes(TokenId token) const;

  // Memory of an engine of this shape, by llama.cpp's own sizing, in a few milliseconds. Throws
  // Error(kInvalidOption) if llama.cpp cannot make a context of this shape.
  MemoryNeeded memory_needed(const EngineShape& shape) const;

  // The bytes of its weights on the host and on each device of its placement.
  const WeightMemory& weight_memory() const { return weights_; }

  // llama.cpp keeps a model's LoRA adapters in a set without a lock. Loading or freeing an adapter
  // takes this lock exclusively; creating a context, or computing its first pass with changed
  // adapters, takes it shared, because both read the set.
  std::shared_mutex& adapter_mutex() const { return adapter_mutex_; }

  // Whether the tokenizer adds a space before a text.
  [[nodiscard]] bool adds_space() const { return adds_space_; }

  // For llama_backend, which creates contexts on it. Lives as long as this object.
  llama_model* handle() const { return handle_.get(); }

 private:
  struct Deleter {
    void operator()(llama_model* model) const;
  };
  using Handle = std::unique_ptr<llama_model, Deleter>;

  LlamaModel(GgufFile file, Handle handle, std::unique_ptr<const LlamaDryRun> dry_run);
  void describe();
  void check_special_tokens() const;
  void must_be_known(TokenId token) const;
  std::string control_text(TokenId token) const;
  const llama_vocab* raw_vocab() const;

  GgufFile file_;
  Handle handle_;
  std::unique_ptr<const LlamaDryRun> dry_run_;
  std::unique_ptr<const LlamaVocab> vocab_;
  std::shared_ptr<const RankHead> rank_head_;
  ModelInfo info_;
  WeightMemory weights_;
  mutable std::shared_mutex adapter_mutex_;
  bool adds_space_ = false;  // the vocabulary starts a text with a space
};

}  // namespace infernode
