#include "model/llama_vocab.h"

#include <climits>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>
#include <variant>

#include "checkpoint/tokenizer.h"
#include "llama.h"

namespace infernode {

namespace {

constexpr std::size_t kMostTextBytes = std::size_t{1} << 30;

// The GGUF format has keys for three end-of-generation tokens; files made from checkpoints list all
// of them.
std::vector<std::int64_t> end_tokens_of(const GgufFile* file) {
  const GgufValue* value = file == nullptr ? nullptr : file->find(kEndTokensKey);
  const auto* array = value == nullptr ? nullptr : std::get_if<GgufArray>(&value->value);
  return array == nullptr ? std::vector<std::int64_t>() : file->integers(*array);
}

// Whether its tokenizer adds a space before a text.
bool adds_space_to(const llama_vocab* vocab, const GgufFile* file) {
  if (llama_vocab_type(vocab) != LLAMA_VOCAB_TYPE_SPM) return false;
  const GgufValue* space =
      file == nullptr ? nullptr : file->find("tokenizer.ggml.add_space_prefix");
  const auto* adds = space == nullptr ? nullptr : std::get_if<bool>(&space->value);
  return adds == nullptr || *adds;
}

}  // namespace

LlamaVocab::LlamaVocab(const llama_vocab* vocab, const GgufFile* file)
    : vocab_(vocab), adds_space_(adds_space_to(vocab, file)) {
  const std::int32_t count = llama_vocab_n_tokens(vocab);
  piece_ends_.reserve(static_cast<std::size_t>(count));
  end_of_generation_.resize(static_cast<std::size_t>(count));
  std::string piece(128, '\0');
  for (TokenId token = 0; token < count; ++token) {
    std::int32_t length = 0;
    while ((length = llama_token_to_piece(vocab, token, piece.data(),
                                          static_cast<std::int32_t>(piece.size()), 0, false)) < 0) {
      piece.resize(static_cast<std::size_t>(-length));
    }
    bytes_.append(piece, 0, static_cast<std::size_t>(length));
    piece_ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    end_of_generation_[static_cast<std::size_t>(token)] = llama_vocab_is_eog(vocab, token);
  }
  for (const std::int64_t token : end_tokens_of(file))
    if (token >= 0 && token < count) end_of_generation_[static_cast<std::size_t>(token)] = true;
  bytes_.shrink_to_fit();
}

bool LlamaVocab::is_end_of_generation(TokenId token) const {
  return token >= 0 && token < size() && end_of_generation_[static_cast<std::size_t>(token)];
}

std::string_view LlamaVocab::piece(TokenId token) const {
  if (token < 0 || token >= size()) return {};
  const auto index = static_cast<std::size_t>(token);
  const std::size_t begin = index == 0 ? 0 : piece_ends_[index - 1];
  return std::string_view(bytes_).substr(begin, piece_ends_[index] - begin);
}

std::vector<TokenId> LlamaVocab::tokenize(std::string_view text, bool add_special,
                                          bool parse_special) const {
  if (text.size() > kMostTextBytes) {
    throw Error(ErrorCode::kInvalidOption, "A text of " + std::to_string(text.size()) +
                                               " bytes cannot be tokenized, at most " +
                                               std::to_string(kMostTextBytes) + " are possible.");
  }
  // Each token takes at least one byte of the text, except for added ones; unused pages of the
  // buffer are never touched.
  auto capacity = static_cast<std::int32_t>(text.size() + 16);
  try {
    for (;;) {
      const auto tokens =
          std::make_unique_for_overwrite<TokenId[]>(static_cast<std::size_t>(capacity));
      const std::int32_t count =
          llama_tokenize(vocab_, text.data(), static_cast<std::int32_t>(text.size()), tokens.get(),
                         capacity, add_special, parse_special);
      if (count >= 0) return {tokens.get(), tokens.get() + count};
      if (count == INT32_MIN) throw std::length_error("too many tokens");
      capacity = -count;
    }
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kInvalidOption,
                std::string("The text cannot be tokenized with this model's vocabulary (") +
                    error.what() + "); the vocabulary lacks a byte the text needs.");
  }
}

std::string LlamaVocab::detokenize(std::span<const TokenId> tokens, bool special) const {
  std::string text;
  bool strip_space = adds_space_;
  for (const TokenId token : tokens) {
    must_be_known(token);
    std::string_view bytes = piece(token);
    if (bytes.empty() && special) {
      text += control_text(token);
      continue;
    }
    const bool silent = bytes.empty();
    if (strip_space && bytes.starts_with(' ')) bytes.remove_prefix(1);
    strip_space = strip_space && silent;
    text += bytes;
  }
  return text;
}

std::string LlamaVocab::token_bytes(TokenId token) const {
  must_be_known(token);
  const std::string_view bytes = piece(token);
  return bytes.empty() ? control_text(token) : std::string(bytes);
}

void LlamaVocab::must_be_known(TokenId token) const {
  if (token >= 0 && token < size()) return;
  throw Error(ErrorCode::kInvalidOption, "Token " + std::to_string(token) +
                                             " is outside the vocabulary of " +
                                             std::to_string(size()) + " tokens.");
}

std::string LlamaVocab::control_text(TokenId token) const {
  std::string text(128, '\0');
  std::int32_t length = 0;
  while ((length = llama_token_to_piece(vocab_, token, text.data(),
                                        static_cast<std::int32_t>(text.size()), 0, true)) < 0) {
    text.resize(static_cast<std::size_t>(-length));
  }
  text.resize(static_cast<std::size_t>(length));
  return text;
}

}  // namespace infernode
