// A Hugging Face tokenizer as the tokenizer.* values of a GGUF header: byte-level BPE and
// SentencePiece from tokenizer.json, SentencePiece from tokenizer.model; special and added
// tokens, chat templates, end-of-generation tokens. An unknown pre-tokenizer is an error that
// names the override, never a silent default.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint_folder.h"
#include "model/gguf_writer.h"

namespace infernode {

// All tokens that end a generation, an int32 array; the engine reads it in addition to what
// llama.cpp finds itself (see native/model/llama_model.cpp).
inline constexpr std::string_view kEndTokensKey = "infernode.end_of_generation_token_ids";

struct TokenizerNeeds {
  std::string architecture;                  // GGUF's: "llama", "gemma3"
  std::uint64_t embedding_rows = 0;          // of the checkpoint
  std::optional<std::string> pre_tokenizer;  // llama.cpp's name, forced by the caller
};

struct WrittenTokenizer {
  std::uint64_t tokens = 0;
  std::vector<std::string> notes;  // which texts llama.cpp tokenizes otherwise than the file says
};

// Writes the values. The number of tokens must be the number of embedding rows: padded to
// embedding_rows, or fewer for architectures whose checkpoints have unused rows (gemma3).
// Throws Error(kModelCorrupt) or Error(kModelFormatUnsupported); messages name the file.
WrittenTokenizer write_tokenizer(const CheckpointFolder& folder, const TokenizerNeeds& needs,
                                 GgufWriter& header);

}  // namespace infernode
