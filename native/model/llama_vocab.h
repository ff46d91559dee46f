// A model's vocabulary, and llama.cpp's tokenizer for it. Every token's bytes are read from
// llama.cpp once, at load. Immutable; any thread may call it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/backend.h"
#include "core/types.h"
#include "model/gguf_file.h"

struct llama_vocab;

namespace infernode {

class LlamaVocab final : public Vocab {
 public:
  // `vocab` outlives this. `file`, if given, may name end-of-generation tokens in addition to those
  // llama.cpp knows.
  explicit LlamaVocab(const llama_vocab* vocab, const GgufFile* file = nullptr);

  std::int32_t size() const override {
    return static_cast<std::int32_t>(end_of_generation_.size());
  }
  // False for a token outside [0, size()).
  [[nodiscard]] bool is_end_of_generation(TokenId token) const override;
  // Empty for control tokens and tokens outside [0, size()).
  std::string_view piece(TokenId token) const override;

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

  // Whether the tokenizer adds a space before a text.
  [[nodiscard]] bool adds_space() const { return adds_space_; }

 private:
  void must_be_known(TokenId token) const;
  std::string control_text(TokenId token) const;

  const llama_vocab* vocab_;
  std::string bytes_;                      // all pieces, in token order
  std::vector<std::uint32_t> piece_ends_;  // piece t: [ends[t-1], ends[t])
  std::vector<bool> end_of_generation_;
  bool adds_space_ = false;  // a text begins with a space
};

}  // namespace infernode
