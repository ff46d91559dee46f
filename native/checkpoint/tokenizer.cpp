// Which files are read, and which values are written.
#include "checkpoint/tokenizer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "checkpoint/chat_templates.h"
#include "checkpoint/sentencepiece_model.h"
#include "checkpoint/special_tokens.h"
#include "checkpoint/tokenizer_json.h"
#include "checkpoint/vocabulary.h"
#include "core/types.h"
#include "model/gguf_text.h"

namespace infernode {

namespace {

constexpr std::size_t kMostTokenizerBytes = 256u << 20;
constexpr std::size_t kMostConfigBytes = 16u << 20;
constexpr const char* kJsonName = "tokenizer.json";
constexpr const char* kModelName = "tokenizer.model";

// Architectures whose embeddings may have fewer rows than the tokenizer has ids, or unused
// additional rows, as in llama.cpp's converter.
bool cuts_rows(const std::string& architecture) { return architecture == "gemma3"; }

void write_vocabulary(const Vocabulary& vocabulary, GgufWriter& header) {
  header.text("tokenizer.ggml.model", vocabulary.model);
  header.text("tokenizer.ggml.pre", vocabulary.pre);
  header.texts("tokenizer.ggml.tokens", vocabulary.texts());
  header.integers("tokenizer.ggml.token_type", vocabulary.kinds());
  if (vocabulary.model == "gpt2") {
    header.texts("tokenizer.ggml.merges", vocabulary.merges);
  } else {
    header.reals("tokenizer.ggml.scores", vocabulary.scores());
    header.flag("tokenizer.ggml.add_space_prefix", vocabulary.space_prefix);
  }
}

// SentencePiece's own scores, if tokenizer.model has the same pieces.
void take_scores(const SentencePieceModel& model, Vocabulary& vocabulary) {
  if (!model.bpe || model.pieces.size() > vocabulary.size()) return;
  for (std::uint64_t id = 0; id < model.pieces.size(); ++id)
    if (vocabulary.find(model.pieces[id].text) != id) return;
  for (std::uint64_t id = 0; id < model.pieces.size(); ++id)
    vocabulary.set_score(id, model.pieces[id].score);
}

// A token named by a file beside the vocabulary; if the vocabulary has it under another id or text,
// the vocabulary takes precedence.
void add_named(const AddedToken& token, const VocabularyNeeds& needs, Vocabulary& vocabulary) {
  if (needs.cut && token.id >= needs.rows) return;
  const auto known = vocabulary.find(token.text);
  if (known ? *known == token.id : !vocabulary.has(token.id)) vocabulary.add(token);
}

// tokenizer_config.json: {"added_tokens_decoder": {"<id>": {"content", "special"}}}.
void add_decoder(const CheckpointFolder& folder, const VocabularyNeeds& needs,
                 Vocabulary& vocabulary) {
  const std::string label = folder.label("tokenizer_config.json");
  const auto config = folder.json("tokenizer_config.json", kMostConfigBytes);
  const Json* decoder = config ? member(*config, "added_tokens_decoder") : nullptr;
  if (decoder == nullptr) return;
  if (!decoder->is_object()) refuse_tokenizer(label, "added_tokens_decoder must be an object.");
  for (const auto& [id, entry] : decoder->items()) {
    Json numbered = entry;
    if (!entry.is_object() || id.empty() || id.size() > 9 ||
        id.find_first_not_of("0123456789") != std::string::npos)
      refuse_tokenizer(label, "added_tokens_decoder must have objects under ids.");
    numbered["id"] = std::stoul(id);
    add_named(added_token(numbered, label), needs, vocabulary);
  }
}

// added_tokens.json: {"<text>": id}, beside tokenizer.model.
void add_added_tokens(const CheckpointFolder& folder, const VocabularyNeeds& needs,
                      Vocabulary& vocabulary) {
  const std::string label = folder.label("added_tokens.json");
  const auto tokens = folder.json("added_tokens.json", kMostConfigBytes);
  if (!tokens) return;
  for (const auto& [text, id] : tokens->items())
    add_named({token_id(id, label, shown_text(text)), text, false}, needs, vocabulary);
}

// Tokens that llama.cpp recognises as the end of a turn by their text.
bool names_turn_end(std::string_view text) {
  constexpr std::array<std::string_view, 5> kNames = {"<|eot_id|>", "<|im_end|>", "<|end|>",
                                                      "<end_of_turn>", "<|endoftext|>"};
  return std::ranges::find(kNames, text) != kNames.end();
}

// GGUF has keys for three end-of-generation tokens; the last key is infernode's own and lists all
// of them.
void write_ends(const Vocabulary& vocabulary, const std::vector<std::uint32_t>& ends,
                GgufWriter& header) {
  header.whole("tokenizer.ggml.eos_token_id", ends[0]);
  std::vector<std::uint32_t> others(ends.begin() + 1, ends.end());
  // Not std::ranges: clang 14 does not compile libstdc++'s subrange.
  std::stable_partition(others.begin(), others.end(),
                        [&](std::uint32_t id) { return names_turn_end(vocabulary.texts()[id]); });
  if (!others.empty()) header.whole("tokenizer.ggml.eot_token_id", others[0]);
  if (others.size() > 1) header.whole("tokenizer.ggml.eom_token_id", others[1]);
  header.integers(kEndTokensKey, std::vector<std::int32_t>(ends.begin(), ends.end()));
}

void write_special(const Vocabulary& vocabulary, const SpecialTokens& special, GgufWriter& header) {
  // Without this key llama.cpp would use another model's token id.
  header.whole("tokenizer.ggml.bos_token_id", special.bos.value_or(special.ends[0]));
  write_ends(vocabulary, special.ends, header);
  if (special.unknown) header.whole("tokenizer.ggml.unknown_token_id", *special.unknown);
  if (special.padding) header.whole("tokenizer.ggml.padding_token_id", *special.padding);
  header.flag("tokenizer.ggml.add_bos_token", special.add_bos);
  header.flag("tokenizer.ggml.add_eos_token", special.add_eos);
}

Vocabulary read_json(const CheckpointFolder& folder, const Json& json,
                     const VocabularyNeeds& needs) {
  Vocabulary vocabulary = read_tokenizer_json(json, folder.label(kJsonName), needs);
  if (vocabulary.model == "llama")
    if (const auto model = folder.text(kModelName, kMostTokenizerBytes))
      take_scores(parse_sentencepiece(*model, folder.label(kModelName)), vocabulary);
  add_decoder(folder, needs, vocabulary);
  return vocabulary;
}

Vocabulary read_model(const CheckpointFolder& folder, const VocabularyNeeds& needs) {
  const auto model = folder.text(kModelName, kMostTokenizerBytes);
  if (!model) {
    throw Error(ErrorCode::kModelCorrupt, quoted_path(folder.path()) + " has neither " + kJsonName +
                                              " nor " + kModelName +
                                              "; copy the model's tokenizer into it.");
  }
  const std::string label = folder.label(kModelName);
  Vocabulary vocabulary =
      read_sentencepiece_model(parse_sentencepiece(*model, label), label, needs.rows);
  add_added_tokens(folder, needs, vocabulary);
  add_decoder(folder, needs, vocabulary);
  return vocabulary;
}

}  // namespace

WrittenTokenizer write_tokenizer(const CheckpointFolder& folder, const TokenizerNeeds& needs,
                                 GgufWriter& header) {
  const bool cut = cuts_rows(needs.architecture);
  const VocabularyNeeds read{needs.embedding_rows, cut, needs.pre_tokenizer};
  const auto json = folder.json(kJsonName, kMostTokenizerBytes);
  Vocabulary vocabulary = json ? read_json(folder, *json, read) : read_model(folder, read);
  vocabulary.pad(cut ? 0 : needs.embedding_rows);
  const SpecialTokens special = read_special_tokens(folder, json ? &*json : nullptr, vocabulary);
  write_vocabulary(vocabulary, header);
  write_special(vocabulary, special, header);
  write_chat_templates(folder, header);
  return {vocabulary.size(), std::move(vocabulary.notes)};
}

}  // namespace infernode
