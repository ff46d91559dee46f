// The vocabulary from tokenizer.json: byte-level BPE with a pre-tokenizer that llama.cpp
// implements, and SentencePiece's BPE, whose scores are the order of its merges. Refuses Unigram
// and WordPiece, and features that neither llama.cpp nor this code supports: other normalizers,
// dropped prefixes, vocabularies without byte tokens. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "checkpoint/json_text.h"
#include "checkpoint/vocabulary.h"

namespace infernode {

struct VocabularyNeeds {
  std::uint64_t rows = 0;                    // of the embeddings
  bool cut = false;                          // omit added tokens beyond the rows
  std::optional<std::string> pre_tokenizer;  // llama.cpp's name, forced by the caller
};

// `label` names the file. Throws Error(kModelCorrupt) or Error(kModelFormatUnsupported).
Vocabulary read_tokenizer_json(const Json& tokenizer, const std::string& label,
                               const VocabularyNeeds& needs);

// Throws if one of the 256 byte tokens "<0x00>" to "<0xFF>" is missing: llama.cpp uses them to
// spell characters that have no token.
void check_byte_tokens(const Vocabulary& vocabulary);

}  // namespace infernode
