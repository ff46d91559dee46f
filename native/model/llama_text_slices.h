// How a long text can be tokenized piece by piece, with the tokens of the whole, and how
// few tokens a text can have: so that a prompt of megabytes is refused, given up or
// made to wait while others are served. Immutable; any thread.
#pragma once

#include <bitset>
#include <cstddef>
#include <string_view>

#include "model/llama_model.h"

namespace infernode {

class TextSlices {
 public:
  explicit TextSlices(const LlamaModel& model);
  // `tokenizer`: as the model's file names it. Neither is needed afterwards.
  TextSlices(const llama_vocab* vocab, std::string_view tokenizer, bool adds_space);

  struct Slice {
    std::size_t length = 0;  // bytes to be tokenized alone, without special tokens around
    std::size_t next = 0;    // where the rest begins; behind a space that the tokenizer adds
  };

  // False: every text is one slice.
  [[nodiscard]] bool divisible() const { return divisible_; }
  // The beginning of a text, of about `bytes`; the whole where it cannot be cut there.
  Slice first(std::string_view text, std::size_t bytes) const;

  // No text of so many bytes has fewer tokens. 0: not known.
  std::size_t fewest_tokens(std::size_t bytes, bool parse_special) const;

 private:
  void learn(std::string_view token);
  [[nodiscard]] bool cuts(std::string_view text, std::size_t at) const;

  bool divisible_ = false;         // a tokenizer whose tokens depend on what is about them alone
  bool adds_space_ = false;        // before the first word of each text
  bool swallows_ = false;          // a text may have bytes that are in no token
  bool strips_ = false;            // some token takes the space about it
  bool strips_if_parsed_ = false;  // some control token does
  std::size_t longest_ = 0;        // bytes of a token
  std::bitset<256 * 256> joined_;  // pairs of bytes that stand together in a token
  std::bitset<256> begins_;        // bytes that tokens begin with which are found first
  std::bitset<256> ends_;          // and end with
};

}  // namespace infernode
