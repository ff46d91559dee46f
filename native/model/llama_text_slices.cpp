#include "model/llama_text_slices.h"

#include <algorithm>
#include <string>

#include "llama.h"

namespace infernode {

namespace {

constexpr int kFoundFirst =  // matched in the text before anything else is tokenized
    LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED | LLAMA_TOKEN_ATTR_UNKNOWN;
constexpr int kStrips = LLAMA_TOKEN_ATTR_LSTRIP | LLAMA_TOKEN_ATTR_RSTRIP;
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // how SentencePiece's tokens write a space

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

std::string unescaped(std::string_view token) {
  std::string text;
  for (std::size_t at = 0; at < token.size();) {
    const bool space = token.substr(at).starts_with(kSpaceMark);
    text += space ? ' ' : token[at];
    at += space ? kSpaceMark.size() : 1;
  }
  return text;
}

// A character that is certainly not white space, judged by its first byte.
bool is_visible(std::uint8_t first) {
  constexpr std::string_view kMaybeSpace = "\xC2\xE1\xE2\xE3";
  if (first < 0x80) return first > ' ' && first != 0x7F;
  return first >= 0xC0 && kMaybeSpace.find(static_cast<char>(first)) == std::string_view::npos;
}

bool is_word(std::uint8_t byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= 'a' && byte <= 'z');
}

}  // namespace

TextSlices::TextSlices(const LlamaModel& model)
    : TextSlices(llama_model_get_vocab(model.handle()), model.file().string("tokenizer.ggml.model"),
                 model.vocab().adds_space()) {}

TextSlices::TextSlices(const llama_vocab* vocab, std::string_view tokenizer, bool adds_space)
    : adds_space_(adds_space) {
  const enum llama_vocab_type type = llama_vocab_type(vocab);
  const LlamaVocab pieces(vocab);
  // Tokenizers with rules of their own for reading a text.
  const bool plain = tokenizer != "whitespace" && tokenizer != "hybriddna";
  divisible_ = plain && (type == LLAMA_VOCAB_TYPE_SPM || type == LLAMA_VOCAB_TYPE_BPE ||
                         type == LLAMA_VOCAB_TYPE_RWKV);
  std::bitset<256> bytes;  // bytes that have a token
  for (TokenId token = 0; token < pieces.size(); ++token) {
    const int attributes = llama_vocab_get_attr(vocab, token);
    const std::string_view piece = pieces.piece(token);
    const std::string_view text = llama_vocab_get_text(vocab, token);
    const bool found_first = (attributes & kFoundFirst) != 0;
    learn(piece);
    learn(text);
    learn(unescaped(text));
    longest_ = std::max(longest_, found_first ? text.size() : piece.size());
    if (piece.size() == 1) bytes.set(byte_at(piece, 0));
    if (!found_first || text.empty()) continue;
    begins_.set(byte_at(text, 0));
    ends_.set(byte_at(text, text.size() - 1));
    if ((attributes & kStrips) == 0) continue;
    ((attributes & LLAMA_TOKEN_ATTR_USER_DEFINED) != 0 ? strips_ : strips_if_parsed_) = true;
  }
  // Bytes for which BPE has no token are dropped.
  swallows_ = !plain || type == LLAMA_VOCAB_TYPE_WPM || type == LLAMA_VOCAB_TYPE_UGM ||
              (type == LLAMA_VOCAB_TYPE_BPE && !bytes.all());
}

void TextSlices::learn(std::string_view token) {
  for (std::size_t at = 1; at < token.size(); ++at)
    joined_.set(byte_at(token, at - 1) * 256U + byte_at(token, at));
}

TextSlices::Slice TextSlices::first(std::string_view text, std::size_t bytes) const {
  if (divisible_) {
    for (std::size_t at = std::max<std::size_t>(bytes, 1); at + 1 < text.size(); ++at)
      if (is_boundary(text, at)) return {at, adds_space_ ? at + 1 : at};
  }
  return {text.size(), text.size()};
}

// Split before a single space or line end between two characters if no token spans it, so that no
// merge does; if every pre-tokenizer of llama.cpp continues after it as at the start of a text; and
// if no special token that is matched first touches it.
bool TextSlices::is_boundary(std::string_view text, std::size_t at) const {
  const std::uint8_t before = byte_at(text, at - 1);
  const std::uint8_t after = byte_at(text, at + 1);
  const bool space = text[at] == ' ';
  if (!space && (text[at] != '\n' || adds_space_ || !is_word(before))) return false;
  if (joined_.test(before * 256U + byte_at(text, at)) || ends_.test(before) || begins_.test(after))
    return false;
  std::size_t first = at - 1;
  while (first > 0 && (byte_at(text, first) & 0xC0) == 0x80) --first;
  return is_visible(byte_at(text, first)) && is_visible(after);
}

std::size_t TextSlices::fewest_tokens(std::size_t bytes, bool parse_special) const {
  if (swallows_ || strips_ || (parse_special && strips_if_parsed_) || longest_ == 0) return 0;
  return (bytes + longest_ - 1) / longest_;
}

}  // namespace infernode
