// Splits a long text into pieces that can be tokenized one by one with the same tokens as the
// whole, and computes a lower bound of a text's tokens, so that a prompt of megabytes can be
// refused, cancelled or interleaved with other prompts. Immutable; any thread.
#pragma once

#include <bitset>
#include <cstddef>
#include <string_view>

#include "model/llama_model.h"

namespace infernode {

class TextSlices {
 public:
  explicit TextSlices(const LlamaModel& model);
  // `tokenizer`: its name in the model's file. Neither argument is needed afterwards.
  TextSlices(const llama_vocab* vocab, std::string_view tokenizer, bool adds_space);

  struct Slice {
    std::size_t length = 0;  // bytes to tokenize on their own, without special tokens around them
    std::size_t next = 0;    // where the rest begins: after a space that the tokenizer adds itself
  };

  // False: every text is a single slice.
  [[nodiscard]] bool divisible() const { return divisible_; }
  // The beginning of a text, of about `bytes`; the whole text if it cannot be split there.
  Slice first(std::string_view text, std::size_t bytes) const;

  // No text of `bytes` bytes has fewer tokens than this. 0: unknown.
  std::size_t fewest_tokens(std::size_t bytes, bool parse_special) const;

 private:
  void learn(std::string_view token);
  [[nodiscard]] bool is_boundary(std::string_view text, std::size_t at) const;

  bool divisible_ = false;         // the tokenizer's tokens depend on nearby characters only
  bool adds_space_ = false;        // it adds a space before the first word of each text
  bool swallows_ = false;          // some bytes of a text may end up in no token
  bool strips_ = false;            // some token absorbs the whitespace around it
  bool strips_if_parsed_ = false;  // some control token does, when control tokens are parsed
  std::size_t longest_ = 0;        // bytes of the longest token
  std::bitset<256 * 256> joined_;  // pairs of bytes that occur adjacent inside a token
  std::bitset<256> begins_;        // first bytes of the tokens that are matched before all others
  std::bitset<256> ends_;          // and their last bytes
};

}  // namespace infernode
