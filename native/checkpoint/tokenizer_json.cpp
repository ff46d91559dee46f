#include "checkpoint/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "checkpoint/pre_tokenizer.h"
#include "core/types.h"

namespace infernode {

namespace {

constexpr std::string_view kSpaceMark = "\xe2\x96\x81";   // U+2581, SentencePiece's space
constexpr std::string_view kByteLevelSpace = "\xc4\xa0";  // U+0120, GPT-2's

struct Merge {
  std::string left;
  std::string right;
};

const Json& model_of(const Json& tokenizer, const std::string& label) {
  const Json* model = member(tokenizer, "model");
  if (model == nullptr || !model->is_object())
    refuse_tokenizer(
        label, "the key model is missing; the file must be a tokenizer of the tokenizers library.");
  const std::string type = text_member(*model, "type", label).value_or("BPE");
  if (type != "BPE") {
    tokenizer_unsupported(label, "its model is " + shown_text(type) +
                                     ", only BPE is supported; take a GGUF file of this model.");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!text_member(*model, key, label).value_or("").empty())
      tokenizer_unsupported(label, "model." + std::string(key) + " is not supported by llama.cpp.");
  }
  return *model;
}

// In the order of ids, so that a message names the first error.
void add_vocabulary(const Json& model, Vocabulary& vocabulary) {
  const std::string& label = vocabulary.label();
  const Json* entries = member(model, "vocab");
  if (entries == nullptr || !entries->is_object() || entries->empty())
    refuse_tokenizer(label, "model.vocab must be an object of token: id.");
  for (const auto& [text, id] : entries->items())
    vocabulary.add(token_id(id, label, "model.vocab[" + shown_text(text) + "]"), text,
                   TokenKind::kNormal);
}

void add_added(const Json& tokenizer, const VocabularyNeeds& needs, Vocabulary& vocabulary) {
  const Json* entries = member(tokenizer, "added_tokens");
  if (entries == nullptr) return;
  if (!entries->is_array()) refuse_tokenizer(vocabulary.label(), "added_tokens must be a list.");
  for (const Json& entry : *entries) {
    const AddedToken token = added_token(entry, vocabulary.label());
    if (needs.cut && token.id >= needs.rows) continue;
    vocabulary.add(token);
  }
}

// "left right", or ["left", "right"] if parts contain spaces.
Merge merge_of(const Json& entry, std::size_t index, const std::string& label) {
  const auto malformed = [&] {
    refuse_tokenizer(label,
                     "model.merges[" + std::to_string(index) +
                         "] must be two tokens that are joined, as \"a b\" or [\"a\", \"b\"].");
  };
  Merge merge;
  if (entry.is_string()) {
    const auto& text = entry.get_ref<const std::string&>();
    const std::size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) malformed();
    merge = {text.substr(0, space), text.substr(space + 1)};
  } else {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_string())
      malformed();
    merge = {entry[0].get<std::string>(), entry[1].get<std::string>()};
  }
  if (merge.left.empty() || merge.right.empty()) malformed();
  return merge;
}

// Calls `use(merge, id of the merged token)` for each merge in order.
template <typename Use>
void each_merge(const Json& model, const Vocabulary& vocabulary, const Use& use) {
  const Json* merges = member(model, "merges");
  if (merges == nullptr || !merges->is_array())
    refuse_tokenizer(vocabulary.label(), "model.merges must be a list of merges.");
  for (std::size_t i = 0; i < merges->size(); ++i) {
    const Merge merge = merge_of((*merges)[i], i, vocabulary.label());
    for (const std::string& part : {merge.left, merge.right, merge.left + merge.right}) {
      if (vocabulary.find(part)) continue;
      refuse_tokenizer(vocabulary.label(), "model.merges[" + std::to_string(i) + "] needs " +
                                               shown_text(part) + ", which is not a token.");
    }
    use(merge, *vocabulary.find(merge.left + merge.right));
  }
}

// llama.cpp splits a merge at its first space, so spaces inside are encoded as bytes are.
std::string written(const Merge& merge) {
  const auto part = [](const std::string& text) {
    std::string result;
    for (const char c : text) c == ' ' ? void(result += kByteLevelSpace) : void(result += c);
    return result;
  };
  return part(merge.left) + ' ' + part(merge.right);
}

std::vector<const Json*> normalizer_steps(const Json& tokenizer, const std::string& label) {
  const Json* normalizer = member(tokenizer, "normalizer");
  if (normalizer == nullptr) return {};
  const Json* list = member(*normalizer, "normalizers");
  if (list == nullptr) return {normalizer};
  if (!list->is_array()) refuse_tokenizer(label, "normalizer.normalizers must be a list.");
  std::vector<const Json*> steps;
  for (const Json& step : *list) steps.push_back(&step);
  return steps;
}

[[noreturn]] void refuse_normalizer(const std::string& type, const std::string& label) {
  tokenizer_unsupported(label, "normalizer " + shown_text(type) +
                                   " is not supported: llama.cpp would tokenize other text.");
}

// NFC does not change composed text, which nearly all text is; see docs/guides/models.md.
void check_byte_level_normalizer(const Json& tokenizer, const std::string& label) {
  for (const Json* step : normalizer_steps(tokenizer, label)) {
    const std::string type = text_member(*step, "type", label).value_or("");
    if (type != "NFC") refuse_normalizer(type, label);
  }
}

bool ignores_merges(const Json& tokenizer, const std::string& label) {
  return flag_member(*member(tokenizer, "model"), "ignore_merges", false, label);
}

PreTokenizer pre_tokenizer_of(const Json& tokenizer, const std::vector<std::string>& steps,
                              const std::string& label) {
  const bool ignore_merges = ignores_merges(tokenizer, label);
  if (const auto known = find_pre_tokenizer(steps, ignore_merges)) return *known;
  std::string found;
  for (const std::string& step : steps) found += "\n  " + step;
  tokenizer_unsupported(
      label, std::string("its pre-tokenizer is not a known one; set the option preTokenizer "
                         "where you know which of llama.cpp's names does the same. It is") +
                 (ignore_merges ? " (whole words before merges)" : "") + ":" + found);
}

void tell_nearest(const PreTokenizer& known, Vocabulary& vocabulary) {
  vocabulary.notes.push_back(
      "tokenizer.json: llama.cpp has no name for exactly its pre-tokenizer; with the nearest, " +
      std::string(known.name) + ", " + std::string(known.difference) +
      ", so that such texts get other tokens");
}

// In UTF-8; every byte of a byte-level text is one.
bool is_one_character(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }) == 1;
}

// llama.cpp takes words that are tokens whole under some names, whatever the file says of merges.
// That matters for tokens that no merge makes.
void tell_whole_words(const Json& tokenizer, const std::vector<std::string>& steps,
                      Vocabulary& vocabulary) {
  const bool told = ignores_merges(tokenizer, vocabulary.label());
  const auto known = find_pre_tokenizer(steps, told);
  if (told || !known || !known->ignores_merges) return;
  std::vector<bool> made(vocabulary.size());
  each_merge(*member(tokenizer, "model"), vocabulary,
             [&](const Merge&, std::uint64_t id) { made[id] = true; });
  std::size_t whole = 0;
  std::string first;
  for (std::uint64_t id = 0; id < vocabulary.size(); ++id) {
    const std::string& text = vocabulary.texts()[id];
    const bool normal = vocabulary.has(id) && vocabulary.kind(id) == TokenKind::kNormal;
    if (!normal || made[id] || is_one_character(text)) continue;
    if (whole++ == 0) first = text;
  }
  if (whole == 0) return;
  vocabulary.notes.push_back(
      "tokenizer.json: model.ignore_merges is false, and llama.cpp's " + std::string(known->name) +
      " ignores merges for words that are tokens: it uses " + std::to_string(whole) +
      (whole == 1 ? " token that no merge makes, " : " tokens that no merge makes, such as ") +
      shown_text(first) +
      ", so that their words get other tokens than Hugging Face's tokenizers gives them");
}

void read_byte_level(const Json& tokenizer, const std::vector<std::string>& steps,
                     const VocabularyNeeds& needs, Vocabulary& vocabulary) {
  vocabulary.model = "gpt2";
  if (needs.pre_tokenizer) {
    vocabulary.pre = *needs.pre_tokenizer;
  } else {
    check_byte_level_normalizer(tokenizer, vocabulary.label());
    const PreTokenizer known = pre_tokenizer_of(tokenizer, steps, vocabulary.label());
    vocabulary.pre = known.name;
    if (!known.difference.empty()) tell_nearest(known, vocabulary);
  }
  each_merge(*member(tokenizer, "model"), vocabulary, [&](const Merge& merge, std::uint64_t) {
    vocabulary.merges.push_back(written(merge));
  });
}

bool is_text(const Json& step, const char* key, std::string_view text) {
  const Json* value = member(step, key);
  return value != nullptr && value->is_string() && value->get_ref<const std::string&>() == text;
}

// Prepend adds a mark before the text, Replace turns spaces into marks.
bool prefix_of_normalizer(const Json& tokenizer, const std::string& label) {
  bool prefix = false;
  for (const Json* step : normalizer_steps(tokenizer, label)) {
    const std::string type = text_member(*step, "type", label).value_or("");
    if (type == "Prepend" && is_text(*step, "prepend", kSpaceMark)) {
      prefix = true;
    } else if (type != "Replace" || !is_text(*step, "content", kSpaceMark) ||
               member(*step, "pattern") == nullptr ||
               !is_text(*member(*step, "pattern"), "String", " ")) {
      refuse_normalizer(type, label);
    }
  }
  return prefix;
}

// Metaspace, or a Split at spaces, none of which are left if the normalizer replaced them by marks.
bool prefix_of_pre_tokenizer(const Json& tokenizer, const std::string& label) {
  const Json* step = member(tokenizer, "pre_tokenizer");
  if (step == nullptr) return false;
  const std::string type = text_member(*step, "type", label).value_or("");
  const Json* pattern = member(*step, "pattern");
  if (type == "Split" && pattern != nullptr && is_text(*pattern, "String", " ")) return false;
  if (type != "Metaspace" || !is_text(*step, "replacement", kSpaceMark) ||
      flag_member(*step, "split", true, label)) {
    tokenizer_unsupported(label, "pre_tokenizer " + shown_text(type) +
                                     " of a SentencePiece vocabulary is not supported.");
  }
  const bool old = flag_member(*step, "add_prefix_space", true, label);
  return text_member(*step, "prepend_scheme", label).value_or(old ? "always" : "never") != "never";
}

// "<0x41>"
std::string byte_token(std::size_t byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return {'<', '0', 'x', kDigits[byte / 16], kDigits[byte % 16], '>'};
}

void mark_bytes(Vocabulary& vocabulary) {
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const auto id = vocabulary.find(byte_token(byte));
    if (id) vocabulary.set_kind(*id, TokenKind::kByte);
  }
}

// llama.cpp merges the pair with the highest score: the earlier a merge, the higher its score.
void score_by_merges(const Json& model, Vocabulary& vocabulary) {
  const auto none = [&](std::uint64_t id) {
    return -static_cast<float>(member(model, "merges")->size() + id);
  };
  std::vector<bool> scored(vocabulary.size());
  float score = 0;
  each_merge(model, vocabulary, [&](const Merge&, std::uint64_t id) {
    if (!scored[id]) vocabulary.set_score(id, score);
    scored[id] = true;
    score -= 1;
  });
  for (std::uint64_t id = 0; id < vocabulary.size(); ++id)
    if (!scored[id]) vocabulary.set_score(id, none(id));
}

void read_sentencepiece(const Json& tokenizer, Vocabulary& vocabulary) {
  const std::string& label = vocabulary.label();
  const Json& model = *member(tokenizer, "model");
  vocabulary.model = "llama";
  const bool normalizer = prefix_of_normalizer(tokenizer, label);
  vocabulary.space_prefix = prefix_of_pre_tokenizer(tokenizer, label) || normalizer;
  mark_bytes(vocabulary);
  check_byte_tokens(vocabulary);
  if (const auto unknown = text_member(model, "unk_token", label)) {
    const auto id = vocabulary.find(*unknown);
    if (!id)
      refuse_tokenizer(label, "model.unk_token " + shown_text(*unknown) + " is not a token.");
    vocabulary.set_kind(*id, TokenKind::kUnknown);
  }
  score_by_merges(model, vocabulary);
}

}  // namespace

void check_byte_tokens(const Vocabulary& vocabulary) {
  const auto byte_kind = static_cast<int>(TokenKind::kByte);
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const auto id = vocabulary.find(byte_token(byte));
    if (id && vocabulary.kinds()[*id] == byte_kind) continue;
    refuse_tokenizer(vocabulary.label(),
                     "there is no byte token '" + byte_token(byte) +
                         "'; a SentencePiece vocabulary has all 256, '<0x00>' to '<0xFF>': take "
                         "the tokenizer that belongs to these weights.");
  }
}

Vocabulary read_tokenizer_json(const Json& tokenizer, const std::string& label,
                               const VocabularyNeeds& needs) {
  const Json& model = model_of(tokenizer, label);
  if (needs.pre_tokenizer && !is_pre_tokenizer(*needs.pre_tokenizer)) {
    throw Error(ErrorCode::kInvalidOption, "preTokenizer: " + shown_text(*needs.pre_tokenizer) +
                                               " is not one of llama.cpp's names; use one of " +
                                               pre_tokenizer_names() + ".");
  }
  const auto steps = pre_tokenizer_steps(member(tokenizer, "pre_tokenizer"), label);
  Vocabulary vocabulary(label, needs.rows);
  add_vocabulary(model, vocabulary);
  // Kinds before added tokens, which are special or user-defined whatever their kind here.
  if (is_byte_level(steps) || needs.pre_tokenizer) {
    read_byte_level(tokenizer, steps, needs, vocabulary);
  } else {
    read_sentencepiece(tokenizer, vocabulary);
  }
  add_added(tokenizer, needs, vocabulary);
  if (vocabulary.model == "gpt2" && !needs.pre_tokenizer)
    tell_whole_words(tokenizer, steps, vocabulary);
  return vocabulary;
}

}  // namespace infernode
