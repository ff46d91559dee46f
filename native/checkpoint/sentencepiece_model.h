// tokenizer.model: SentencePiece's protobuf, read field by field. Every length is checked
// against the bytes that are there; unknown fields are passed over. Pure; any thread.
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
  std::vector<SentencePiece> pieces;  // ids are their places
  bool bpe = false;                   // false: unigram, words or characters
  bool dummy_prefix = true;           // a space before the text
  bool removes_spaces = true;         // of several, all but one
  bool maps_characters = false;       // such as NFKC
};

// `label` names the file. Throws Error(kModelCorrupt).
SentencePieceModel parse_sentencepiece(std::string_view bytes, const std::string& label);

// The vocabulary of tokenizer.model alone. Throws Error(kModelFormatUnsupported) for what
// llama.cpp's SentencePiece is not, and Vocabulary::add()'s errors.
Vocabulary read_sentencepiece_model(const SentencePieceModel& model, const std::string& label,
                                    std::uint64_t rows);

}  // namespace infernode
