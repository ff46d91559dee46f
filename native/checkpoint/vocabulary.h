// The tokens of a checkpoint in the form llama.cpp needs, filled by the readers (tokenizer.json,
// tokenizer.model) and written by write_tokenizer(). Every id has a unique text: llama.cpp aborts
// on duplicates. No file is read here. Belongs to the thread that reads the checkpoint.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "checkpoint/json_text.h"

namespace infernode {

// The numbers are the GGUF format's.
enum class TokenKind : std::int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      // matched in text only if special tokens are parsed
  kUserDefined = 4,  // matched in any text, before everything else
  kUnused = 5,
  kByte = 6,
};

constexpr std::uint64_t kMostTokens = 1u << 24;

// An entry of "added_tokens", or of "added_tokens_decoder".
struct AddedToken {
  std::uint64_t id = 0;
  std::string text;
  bool special = false;
};

class Vocabulary {
 public:
  // `label` names the file in messages; ids are below `rows`.
  Vocabulary(std::string label, std::uint64_t rows);

  std::string model;            // "gpt2" (byte-level BPE) or "llama" (SentencePiece)
  std::string pre = "default";  // pre-tokenizer; SentencePiece has none
  std::vector<std::string> merges;
  bool space_prefix = false;
  std::vector<std::string> notes;  // which texts llama.cpp tokenizes otherwise than the file says

  // Throws Error(kModelCorrupt) if the id is in use or not below the rows, or the text is empty,
  // contains a NUL or belongs to another token.
  void add(std::uint64_t id, std::string text, TokenKind kind, float score = 0);
  // A token that may exist already under the same id: it becomes a control or user-defined token.
  void add(const AddedToken& token);
  // Fills gaps, and ids up to `count`, with unused tokens.
  void pad(std::uint64_t count);

  std::uint64_t size() const { return texts_.size(); }
  std::uint64_t rows() const { return rows_; }
  const std::string& label() const { return label_; }
  const std::vector<std::string>& texts() const { return texts_; }
  const std::vector<std::int32_t>& kinds() const { return kinds_; }
  const std::vector<float>& scores() const { return scores_; }
  [[nodiscard]] bool has(std::uint64_t id) const;
  TokenKind kind(std::uint64_t id) const { return static_cast<TokenKind>(kinds_[id]); }
  void set_kind(std::uint64_t id, TokenKind kind);
  void set_score(std::uint64_t id, float score) { scores_[id] = score; }
  // The id of the token with this text, as the file spells it.
  [[nodiscard]] std::optional<std::uint64_t> find(std::string_view text) const;
  // Throws if `id` is not below the rows.
  void check_id(std::uint64_t id, std::string_view text) const;

 private:
  void place(std::uint64_t id);
  void rename(std::uint64_t id, std::string text);

  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::string label_;
  std::uint64_t rows_;
  std::vector<std::string> texts_;  // "" for a gap
  std::vector<std::int32_t> kinds_;
  std::vector<float> scores_;
  std::unordered_map<std::string, std::uint64_t, TextHash, std::equal_to<>> ids_;
};

// Errors that name the file. Corrupt: the file contradicts itself. Unsupported: neither this code
// nor llama.cpp implements it.
[[noreturn]] void refuse_tokenizer(const std::string& label, const std::string& sentence);
[[noreturn]] void tokenizer_unsupported(const std::string& label, const std::string& sentence);

// Text made safe for a message: quoted, truncated, without control characters.
std::string shown_text(std::string_view text);

// The member `key` of an object; null if it is missing or null.
const Json* member(const Json& object, const char* key);
// Strings and flags of an object. Throw if the member has another type.
[[nodiscard]] std::optional<std::string> text_member(const Json& object, const char* key,
                                                     const std::string& label);
[[nodiscard]] bool flag_member(const Json& object, const char* key, bool fallback,
                               const std::string& label);
// A token's id. Throws if it is not a non-negative integer.
std::uint64_t token_id(const Json& value, const std::string& label, const std::string& key);
// {"id", "content", "special"} of an entry. Throws if one is missing.
AddedToken added_token(const Json& entry, const std::string& label);

}  // namespace infernode
