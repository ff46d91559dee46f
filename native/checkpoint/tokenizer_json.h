// The vocabulary of tokenizer.json: byte-level BPE under a pre-tokenizer that llama.cpp has,
// and SentencePiece's BPE, whose scores are the order of its merges. Unigram and WordPiece are
// refused, and so is what neither llama.cpp nor this code can do: other normalizers, dropped
// prefixes, vocabularies without their bytes. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "checkpoint/json_text.h"
#include "checkpoint/vocabulary.h"

namespace infernode {

struct VocabularyNeeds {
  std::uint64_t rows = 0;                    // of the embeddings
  bool cut = false;                          // leave out added tokens beyond the rows
  std::optional<std::string> pre_tokenizer;  // llama.cpp's name, forced by the caller
};

// `label` names the file. Throws Error(kModelCorrupt) or Error(kModelFormatUnsupported).
Vocabulary read_tokenizer_json(const Json& tokenizer, const std::string& label,
                               const VocabularyNeeds& needs);

// Throws where one of the 256 byte tokens "<0x00>" to "<0xFF>" is missing: llama.cpp spells
// characters that are no token with them.
void check_byte_tokens(const Vocabulary& vocabulary);

}  // namespace infernode
