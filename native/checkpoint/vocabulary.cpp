#include "checkpoint/vocabulary.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "core/types.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

constexpr std::string_view kSpaceMark = "\xe2\x96\x81";  // U+2581, SentencePiece's space

// Tokens that their files do not mark as special although they are: llama.cpp's converter treats
// them as control tokens as well, hence so do GGUF files made by it.
bool looks_special(std::string_view text) {
  if (text == "<pad>" || text == "<mask>" || text == "<2mass>" || text == "[@BOS@]") return true;
  if (text.starts_with("<|") && text.ends_with("|>")) return true;
  if (text.starts_with("<\xef\xbd\x9c") && text.ends_with("\xef\xbd\x9c>")) return true;
  return text.starts_with("<unused") && text.ends_with('>');
}

std::string with_spaces(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const bool mark = text.starts_with(kSpaceMark);
    result += mark ? ' ' : text[0];
    text.remove_prefix(mark ? kSpaceMark.size() : 1);
  }
  return result;
}

}  // namespace

Vocabulary::Vocabulary(std::string label, std::uint64_t rows)
    : label_(std::move(label)), rows_(rows) {
  if (rows == 0 || rows > kMostTokens) {
    refuse_tokenizer(label_, "the embeddings must have 1 to " + std::to_string(kMostTokens) +
                                 " rows, have " + std::to_string(rows) + ".");
  }
}

void Vocabulary::check_id(std::uint64_t id, std::string_view text) const {
  if (id < rows_) return;
  refuse_tokenizer(label_, "token " + shown_text(text) + " has id " + std::to_string(id) +
                               ", but the embeddings have only " + std::to_string(rows_) +
                               " rows; take the tokenizer that belongs to these weights.");
}

bool Vocabulary::has(std::uint64_t id) const { return id < size() && !texts_[id].empty(); }

void Vocabulary::place(std::uint64_t id) {
  if (id < size()) return;
  texts_.resize(id + 1);
  kinds_.resize(id + 1, static_cast<std::int32_t>(TokenKind::kUnused));
  scores_.resize(id + 1, 0);
}

void Vocabulary::add(std::uint64_t id, std::string text, TokenKind kind, float score) {
  check_id(id, text);
  if (text.find('\0') != std::string::npos) {
    refuse_tokenizer(label_, "token " + std::to_string(id) +
                                 " has a NUL character, which llama.cpp cannot hold.");
  }
  place(id);
  if (text.empty()) text = "[EMPTY_" + std::to_string(id) + "]";
  if (!texts_[id].empty()) {
    refuse_tokenizer(label_, "id " + std::to_string(id) + " is both " + shown_text(texts_[id]) +
                                 " and " + shown_text(text) + "; each token needs its own.");
  }
  if (const auto [other, inserted] = ids_.emplace(text, id); !inserted) {
    refuse_tokenizer(label_, "tokens " + std::to_string(other->second) + " and " +
                                 std::to_string(id) + " have the same text " + shown_text(text) +
                                 ".");
  }
  texts_[id] = std::move(text);
  kinds_[id] = static_cast<std::int32_t>(kind);
  scores_[id] = score;
}

void Vocabulary::add(const AddedToken& token) {
  const std::optional<std::uint64_t> known = find(token.text);
  if (known && *known != token.id) {
    refuse_tokenizer(label_, "added token " + shown_text(token.text) + " has id " +
                                 std::to_string(token.id) + ", but the vocabulary says " +
                                 std::to_string(*known) + ".");
  }
  const bool control = token.special || looks_special(token.text);
  if (!known) add(token.id, token.text, TokenKind::kNormal);
  if (kind(token.id) == TokenKind::kUnknown) return;
  set_kind(token.id, control ? TokenKind::kControl : TokenKind::kUserDefined);
  if (!control) rename(token.id, with_spaces(token.text));
}

// llama.cpp searches for a user-defined token in the original text, with its spaces. If another
// token has that text, it is unchanged. find() uses the file's text.
void Vocabulary::rename(std::uint64_t id, std::string text) {
  if (text == texts_[id] || ids_.contains(text)) return;
  ids_.emplace(text, id);
  texts_[id] = std::move(text);
}

void Vocabulary::set_kind(std::uint64_t id, TokenKind kind) {
  kinds_[id] = static_cast<std::int32_t>(kind);
}

void Vocabulary::pad(std::uint64_t count) {
  if (count > 0) place(count - 1);
  for (std::uint64_t id = 0; id < size(); ++id) {
    if (!texts_[id].empty()) continue;
    std::string text = "[PAD" + std::to_string(id) + "]";
    while (ids_.contains(text)) text += '_';
    add(id, std::move(text), TokenKind::kUnused);
  }
}

std::optional<std::uint64_t> Vocabulary::find(std::string_view text) const {
  const auto found = ids_.find(text);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

void refuse_tokenizer(const std::string& label, const std::string& sentence) {
  throw Error(ErrorCode::kModelCorrupt, quoted_path(label) + ": " + sentence);
}

void tokenizer_unsupported(const std::string& label, const std::string& sentence) {
  throw Error(ErrorCode::kModelFormatUnsupported, quoted_path(label) + ": " + sentence);
}

std::string shown_text(std::string_view text) { return "'" + printable(text, 40) + "'"; }

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> text_member(const Json& object, const char* key,
                                       const std::string& label) {
  const Json* value = member(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) refuse_tokenizer(label, std::string(key) + " must be a string.");
  return value->get<std::string>();
}

bool flag_member(const Json& object, const char* key, bool fallback, const std::string& label) {
  const Json* value = member(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) refuse_tokenizer(label, std::string(key) + " must be true or false.");
  return value->get<bool>();
}

std::uint64_t token_id(const Json& value, const std::string& label, const std::string& key) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= kMostTokens) {
    refuse_tokenizer(label, key + " must be a token's id, an integer from 0 to " +
                                std::to_string(kMostTokens - 1) + ".");
  }
  return value.get<std::uint64_t>();
}

AddedToken added_token(const Json& entry, const std::string& label) {
  const Json* id = member(entry, "id");
  const std::optional<std::string> text = text_member(entry, "content", label);
  if (id == nullptr || !text || text->empty()) {
    refuse_tokenizer(label, "an added token must have an id and content.");
  }
  return {token_id(*id, label, "id of added token " + shown_text(*text)), *text,
          flag_member(entry, "special", false, label)};
}

}  // namespace infernode
