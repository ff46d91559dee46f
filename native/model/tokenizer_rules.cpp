// Rules on the tokenizer's metadata; see model_rules.h. Functions and files named in comments are
// llama.cpp v0.5.0's (llama-vocab.cpp).
#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.h"
#include "model/gguf_text.h"
#include "model/model_rules.h"

namespace infernode {

namespace {

constexpr std::uint64_t kMaximumTokens = 1u << 24;
constexpr std::uint64_t kMaximumTokenBytes = 1u << 16;
constexpr std::int64_t kByteToken = 6;  // LLAMA_TOKEN_TYPE_BYTE

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kScores = "tokenizer.ggml.scores";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";

const GgufArray* array_of(const GgufFile& file, std::string_view key) {
  const GgufValue* value = file.find(key);
  if (value == nullptr) return nullptr;
  const auto* array = std::get_if<GgufArray>(&value->value);
  if (array == nullptr) refuse_model(file, "'" + std::string(key) + "' must be an array");
  return array;
}

void check_companion(const GgufFile& file, std::string_view key, std::uint64_t tokens,
                     bool floats_allowed) {
  const GgufArray* array = array_of(file, key);
  if (array == nullptr) return;
  const bool fits = array->element_type == GgufType::kInt32 ||
                    (floats_allowed && array->element_type == GgufType::kFloat32);
  if (!fits || array->length < tokens) {
    refuse_model(file, "'" + std::string(key) + "' must be an array of " +
                           (floats_allowed ? "float32" : "int32") + " with one item for each of " +
                           std::to_string(tokens) + " tokens");
  }
}

// A set of texts that stores indices into `texts` instead of copies: open addressing, a third of
// the time of a std::unordered_set at 128k tokens.
class TextSet {
 public:
  explicit TextSet(std::span<const std::string_view> texts)
      : texts_(texts), places_(std::bit_ceil(2 * texts.size() + 1), kFree) {}

  // False if an equal text was inserted before.
  bool insert(std::size_t index) {
    const std::size_t mask = places_.size() - 1;
    std::size_t place = std::hash<std::string_view>{}(texts_[index]) & mask;
    for (; places_[place] != kFree; place = (place + 1) & mask) {
      if (texts_[places_[place]] == texts_[index]) return false;
    }
    places_[place] = static_cast<std::uint32_t>(index);
    return true;
  }

 private:
  static constexpr std::uint32_t kFree = 0xFFFFFFFF;
  std::span<const std::string_view> texts_;
  std::vector<std::uint32_t> places_;
};

// load(): GGML_ASSERT(id_to_token.size() == token_to_id.size()). Texts reach
// llama.cpp as C strings, and an empty one becomes "[EMPTY_<id>]".
void check_token_texts(const GgufFile& file, std::vector<std::string_view> texts) {
  std::deque<std::string> empty_names;  // a deque, so that views into it stay valid
  for (std::size_t id = 0; id < texts.size(); ++id) {
    texts[id] = texts[id].substr(0, texts[id].find('\0'));
    if (texts[id].size() > kMaximumTokenBytes) {
      refuse_model(file, "token " + std::to_string(id) + " is longer than " +
                             std::to_string(kMaximumTokenBytes) + " bytes");
    }
    if (texts[id].empty()) {
      texts[id] = empty_names.emplace_back("[EMPTY_" + std::to_string(id) + "]");
    }
  }
  TextSet seen(texts);
  for (std::size_t id = 0; id < texts.size(); ++id) {
    if (seen.insert(id)) continue;
    refuse_model(file, "token " + std::to_string(id) + " has the text of an earlier token");
  }
}

// token_to_byte(): strtol over text.substr(3, 2), and GGML_ABORT for the
// tokenizers that have no byte tokens.
void check_byte_tokens(const GgufFile& file, std::span<const std::string_view> texts,
                       std::string_view model) {
  const GgufArray* types = array_of(file, kTypes);
  if (types == nullptr) return;
  const std::vector<std::int64_t> kinds = file.integers(*types);
  for (std::size_t id = 0; id < texts.size(); ++id) {
    if (kinds[id] != kByteToken) continue;
    const std::string_view text = texts[id];
    const bool spelled = text.size() == 6 && text.starts_with("<0x") && text.back() == '>';
    if (!spelled || model == "bert") {
      refuse_model(file, "token " + std::to_string(id) +
                             " is marked as a byte, but its text is not '<0xNN>'");
    }
  }
}

void check_merges(const GgufFile& file) {
  const GgufArray* merges = array_of(file, kMerges);
  if (merges != nullptr && merges->element_type != GgufType::kString) {
    refuse_model(file, "'" + std::string(kMerges) + "' must be an array of strings");
  }
}

// A special token's key is read as uint32, a switch's as bool; for any other type llama.cpp refuses
// the file without a helpful message.
void check_switches(const GgufFile& file) {
  for (const GgufEntry& entry : file.metadata()) {
    const std::string_view key = entry.key;
    if (!key.starts_with("tokenizer.ggml.")) continue;
    const bool id = key.ends_with("_token_id");
    const bool flag = key.starts_with("tokenizer.ggml.add_");
    if ((id && entry.value.type != GgufType::kUint32) ||
        (flag && entry.value.type != GgufType::kBool)) {
      refuse_model(file, "'" + printable(key) + "' must be a " + (id ? "uint32" : "bool") +
                             ", is " + std::string(gguf_type_name(entry.value.type)));
    }
  }
}

}  // namespace

void check_tokenizer_rules(const GgufFile& file) {
  const std::string_view model = file.string("tokenizer.ggml.model");
  if (model == "none" || model == "no_vocab") {
    throw Error(ErrorCode::kModelLoadFailed,
                quoted_path(file.label()) + " has no vocabulary (tokenizer.ggml.model is '" +
                    std::string(model) +
                    "'), which generating text needs; convert it with its tokenizer.");
  }
  if (model.empty()) refuse_model(file, "'tokenizer.ggml.model' must name the tokenizer");
  const GgufArray* tokens = array_of(file, kTokens);
  if (tokens == nullptr || tokens->element_type != GgufType::kString || tokens->length == 0 ||
      tokens->length > kMaximumTokens) {
    refuse_model(file, "'" + std::string(kTokens) + "' must be an array of 1 to " +
                           std::to_string(kMaximumTokens) + " strings");
  }
  check_companion(file, kScores, tokens->length, true);
  check_companion(file, kTypes, tokens->length, false);
  const std::vector<std::string_view> texts = file.strings(*tokens);
  check_token_texts(file, texts);
  check_byte_tokens(file, texts, model);
  check_merges(file);
  check_switches(file);
}

}  // namespace infernode
