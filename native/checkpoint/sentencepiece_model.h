// tokenizer.model: SentencePiece's protobuf, read field by field. Every length is checked against
// the bytes available; unknown fields are skipped. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/vocabulary.h"

namespace infernode {

struct SentencePiece {
  std::string text;
  float score = 0;
  TokenKind kind = TokenKind::kNormal;
};

struct SentencePieceModel {
  std::vector<SentencePiece> pieces;  // indexed by token id
  bool bpe = false;                   // false: unigram, words or characters
  bool dummy_prefix = true;           // adds a space before the text
  bool removes_spaces = true;         // collapses several spaces into one
  bool maps_characters = false;       // normalises characters, for example NFKC
};

// `label` names the file. Throws Error(kModelCorrupt).
SentencePieceModel parse_sentencepiece(std::string_view bytes, const std::string& label);

// The vocabulary from tokenizer.model alone. Throws Error(kModelFormatUnsupported) for features
// that llama.cpp's SentencePiece lacks, and Vocabulary::add()'s errors.
Vocabulary read_sentencepiece_model(const SentencePieceModel& model, const std::string& label,
                                    std::uint64_t rows);

}  // namespace infernode
